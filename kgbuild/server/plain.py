"""Plain queries: a GET that differs from one before in its query alone is answered without reading its headers again.

Only the way is shorter. The answer is asked for, limited, kept and spelt by what does so for every request; whatever is
not answered with 200 goes the usual way, which says why.
"""

from __future__ import annotations

from string import ascii_letters
from typing import TYPE_CHECKING, Final, NamedTuple

from starlette.requests import Request

from kgbuild.server.cache import Cache
from kgbuild.server.connections import FRAMING
from kgbuild.server.jobs import Job
from kgbuild.server.negotiation import HTML, Syntax
from kgbuild.server.sparql import Question, decoded, job_of

if TYPE_CHECKING:
    from starlette.types import Scope

_END: Final = b" HTTP/1.1\r\n"
_PLAIN: Final = ascii_letters.encode() + b"0123456789%+-._~*'()!,;:@/?$"
"""What a value of the address may hold that needs no further care."""
_READ: Final = FRAMING | {b"if-none-match", b"range"}
"""Headers of requests that are read each time, of those that ask for an answer."""


class Plan(NamedTuple):
    """What the headers of a request say: a request with these headers, and a job in the formats it takes."""

    request: Request
    job: Job


class Plans:
    """What headers say, by their bytes."""

    def __init__(self, path: str, most: int) -> None:
        self.start, self.most = f"GET {path}?query=".encode(), most
        self.kept: Cache[Plan] = Cache(1 << 20)

    def learn(self, scope: Scope, data: bytes, table: Syntax | None, graph: Syntax | None) -> None:
        """Keep what the headers of a request say, where they are all that matters beside the query."""
        first, _, headers = data.partition(_END)
        given = dict(scope["headers"])
        once = len(given) == len(scope["headers"])
        coding = given.get(b"accept-encoding", b"identity")
        plain = once and coding == b"identity" and not _READ & given.keys()
        if plain and first.startswith(self.start) and table is not HTML:
            request = Request({"type": "http", "method": "GET", "headers": scope["headers"]})
            self.kept.put(headers, Plan(request, job_of(Question(""), table, graph)), len(headers) + 1000)

    def find(self, data: bytes) -> tuple[Request, Job] | None:
        """Return what a request asks, and one with the same headers, if these are known."""
        if not data.startswith(self.start):
            return None
        end = data.find(_END)
        plan = self.kept.get(data[end + len(_END) :])
        value = data[len(self.start) : end]
        if plan is None or end > self.most or not value or value.translate(None, _PLAIN):
            return None
        try:
            return plan.request, Job(decoded(value), plan.job.results, plan.job.graph)
        except UnicodeDecodeError:
            return None
