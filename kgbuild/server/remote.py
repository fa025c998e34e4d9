"""A remote store behind the server: asked over the SPARQL 1.1 Protocol, with the quirks of each kind in one table.

Every answer is read whole and parsed before it is passed on: a store that cuts an answer short is found out.
"""

from __future__ import annotations

import asyncio
import http.client
import json
import os
import time
import urllib.error
import urllib.request
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlencode

import pyoxigraph as ox

from kgbuild.diagnostics import AbsentError
from kgbuild.server.jobs import RESULT_FORMATS, Job, Reply, form_of, more_rows, write_graph
from kgbuild.server.settings import Limits
from kgbuild.server.turns import BusyError, Turns
from kgbuild.store import Term, names_dataset, uses_service
from kgbuild.terms import XSD

_ACCEPT: Final = {"table": "application/sparql-results+json", "graph": "application/n-triples, text/turtle;q=0.8"}
_PART: Final = 1 << 16
PASSWORD: Final = "KGBUILD_ENDPOINT_PASSWORD"  # noqa: S105  # the name of a variable of the environment


@dataclass(frozen=True, slots=True)
class Profile:
    """What one kind of store needs: fields that make the union the default graph, and headers that mean a cut."""

    name: str
    union: tuple[tuple[str, str], ...] = ()
    cut: tuple[str, ...] = ()
    page: int = 100_000
    """Rows that one answer may surely hold."""


PROFILES: Final = {
    item.name: item
    for item in (
        Profile("generic"),
        Profile("oxigraph", union=(("union-default-graph", "true"),)),
        Profile("virtuoso", cut=("X-SQL-State", "X-SPARQL-MaxRows"), page=5000),
    )
}


class Remote:
    """A SPARQL endpoint; `ask` is what a pool of workers has."""

    def __init__(self, url: str, limits: Limits, turns: Turns, prefixes: dict[str, str], user: str = "") -> None:
        self.url, self.limits, self.turns, self.prefixes = url, limits, turns, prefixes
        self.opener = _opener(url, user)
        self.profile = PROFILES["generic"]

    def probe(self) -> None:
        """See that a store answers, and of what kind it is; raise `AbsentError` where none does."""
        request = self._request("ASK { ?s ?p ?o }", Job(""))
        try:
            with self.opener.open(request, timeout=self.limits.seconds) as response:
                kind = response.headers.get("Server", "").lower()
                data = response.read(_PART)
            ox.parse_query_results(data, format=ox.QueryResultsFormat.JSON)
        except (OSError, ValueError, SyntaxError, http.client.HTTPException) as error:
            reason = getattr(error, "reason", None) or error
            raise AbsentError(f"no SPARQL endpoint answers at {self.url}: {reason}") from error
        self.profile = next((item for name, item in PROFILES.items() if name in kind), self.profile)

    async def ask(self, job: Job, client: str) -> Reply:
        """Send a query on, within the limits."""
        if uses_service(job.query):
            return Reply("service", message="the query uses SERVICE, which this server does not allow")
        try:
            turn = await self.turns.take(client, self.limits.seconds)
        except BusyError as error:
            return Reply("busy", message=str(error))
        try:
            late = self.limits.seconds
            return await asyncio.wait_for(asyncio.to_thread(self.fetch, job), late)
        except TimeoutError:
            return Reply("time", message=f"the store did not answer in {self.limits.seconds:g} seconds")
        finally:
            turn.release()

    def fetch(self, job: Job) -> Reply:
        """Send a query on and wait for the answer."""
        end = time.monotonic() + self.limits.seconds
        try:
            with self.opener.open(self._request(job.query, job), timeout=self.limits.seconds) as response:
                if any(name in response.headers for name in self.profile.cut):
                    return Reply("size", message="the store cut its answer short; ask for fewer rows with LIMIT")
                media = response.headers.get_content_type()
                data = _read(response, self.limits.bytes, end)
        except urllib.error.HTTPError as error:
            words = error.read(2000).decode("utf-8", "replace").strip() or str(error)
            return Reply("syntax" if error.code == 400 else "store", message=words.splitlines()[0][:500])
        except TimeoutError:
            return Reply("time", message=f"the store did not answer in {self.limits.seconds:g} seconds")
        except (OSError, http.client.HTTPException) as error:
            return Reply("store", message=f"the store does not answer: {getattr(error, 'reason', error)}")
        if data is None:
            return Reply("size", message=f"the answer is larger than {self.limits.bytes:,} bytes")
        try:
            return _passed_on(job, data, media, self.prefixes, self.limits)
        except (SyntaxError, ValueError, OSError) as error:
            return Reply("store", message=f"the store's answer is broken: {str(error)[:300]}")

    def _request(self, query: str, job: Job) -> urllib.request.Request:
        known = "".join(f"PREFIX {name}: <{space}> " for name, space in self.prefixes.items() if f"{name}:" in query)
        fields: list[tuple[str, str]] = [("query", known + query)]
        if job.default is None and job.named is None:
            fields += () if names_dataset(query) else self.profile.union
        fields += [("default-graph-uri", name) for name in job.default or ()]
        fields += [("named-graph-uri", name) for name in job.named or ()]
        headers = {"Accept": _ACCEPT[form_of(query)], "User-Agent": "kgbuild"}
        return urllib.request.Request(self.url, urlencode(fields).encode(), headers)  # noqa: S310  # http(s), see Settings


def _opener(url: str, user: str) -> urllib.request.OpenerDirector:
    handlers: list[urllib.request.BaseHandler] = [urllib.request.ProxyHandler({})]
    if user:
        known = urllib.request.HTTPPasswordMgrWithDefaultRealm()
        known.add_password(None, url, user, os.environ.get(PASSWORD, ""))
        handlers += [urllib.request.HTTPDigestAuthHandler(known), urllib.request.HTTPBasicAuthHandler(known)]
    return urllib.request.build_opener(*handlers)


def _read(response: http.client.HTTPResponse, most: int, end: float) -> bytes | None:
    """Read an answer whole; return None where it is too large."""
    parts, size = [], 0
    while part := response.read(_PART):
        size += len(part)
        if size > most:
            return None
        if time.monotonic() > end:
            raise TimeoutError
        parts.append(part)
    return b"".join(parts)


def _passed_on(job: Job, data: bytes, media: str, prefixes: dict[str, str], limits: Limits) -> Reply:
    if "json" in media:
        if job.results not in RESULT_FORMATS:
            return Reply("media", message="the query gives a table or a truth value")
        if more_rows(data, "application/sparql-results+json", limits.rows):
            return Reply("size", message=f"the answer has more than {limits.rows:,} rows")
        parsed = ox.parse_query_results(_truth(data), format=ox.QueryResultsFormat.JSON)
        return Reply("ok", parsed.serialize(format=RESULT_FORMATS[job.results]) or b"", job.results)
    form = ox.RdfFormat.from_media_type(media)
    if form is None:
        raise ValueError(f"{media} is no SPARQL result")
    triples = (quad.triple for quad in ox.parse(data, form))
    return write_graph(triples, job.graph, prefixes, limits.rows, limits.bytes)


def _truth(data: bytes) -> bytes:
    """Spell as a truth value what Virtuoso gives to an ASK with prefixes: a table of one number."""
    if b"__ASK_RETVAL" not in data[:200]:
        return data
    value = json.loads(data)["results"]["bindings"][0]["__ASK_RETVAL"]["value"]
    return json.dumps({"head": {}, "boolean": value == "1"}).encode()


# The whole graph


def pull(remote: Remote, most: int) -> bytes:
    """Read all named graphs as N-Quads, in parts that the store gives whole; raise `AbsentError` where one is not."""
    sizes = list(_sizes(remote))
    total = sum(size for _, size in sizes)
    if total > most:
        raise AbsentError(
            f"{remote.url} holds {total:,} quads; pages are made of at most {most:,}. Serve a build instead"
        )
    quads: set[ox.Quad] = set()
    for graphs in _parts(sizes, remote.profile.page):
        quads |= set(_quads(remote, graphs))
    if len(quads) != total:
        raise AbsentError(f"{remote.url} gave {len(quads):,} of {total:,} quads")
    return b"".join(sorted(f"{quad} .\n".encode() for quad in quads))


def _sizes(remote: Remote) -> Iterator[tuple[str, int]]:
    own = 'FILTER(!STRSTARTS(STR(?g), "http://www.openlinksw.com/") && !STRSTARTS(STR(?g), "urn:"))'
    answer = f"SELECT ?g (COUNT(*) AS ?n) WHERE {{ GRAPH ?g {{ ?s ?p ?o }} {own} }} GROUP BY ?g ORDER BY ?g"
    for row in _rows(remote, answer):
        yield row["g"].value, int(row["n"].value)


def _parts(sizes: Iterable[tuple[str, int]], page: int) -> Iterator[tuple[tuple[str, int], ...]]:
    """Group graphs so that each group fits into one answer; a larger graph is a group of its own."""
    part: list[tuple[str, int]] = []
    for graph, size in sizes:
        if part and (sum(count for _, count in part) + size > page or len(part) >= 50):
            yield tuple(part)
            part = []
        part.append((graph, size))
    if part:
        yield tuple(part)


def _quads(remote: Remote, graphs: tuple[tuple[str, int], ...]) -> Iterator[ox.Quad]:
    page, total = remote.profile.page, sum(size for _, size in graphs)
    values = " ".join(f"<{graph}>" for graph, _ in graphs)
    asked = f"SELECT ?g ?s ?p ?o WHERE {{ VALUES ?g {{ {values} }} GRAPH ?g {{ ?s ?p ?o }} }}"
    for offset in range(0, total, page):
        bounds = f" ORDER BY ?s ?p ?o LIMIT {page} OFFSET {offset}" if total > page else ""
        for row in _rows(remote, asked + bounds):
            yield ox.Quad(row["s"], row["p"], _spelt(row["o"]), row["g"])  # as the store gives them


def _spelt(term: Term) -> Term:
    """Spell a truth value as everybody does; Virtuoso gives 0 and 1."""
    if isinstance(term, ox.Literal) and term.datatype.value == f"{XSD}boolean" and term.value in {"0", "1"}:
        return ox.Literal(term.value == "1")
    return term


def _rows(remote: Remote, query: str) -> Iterator[ox.QuerySolution]:
    reply = remote.fetch(Job(query))
    if reply.status != "ok":
        raise AbsentError(f"{remote.url}: {reply.message}")
    answer = ox.parse_query_results(reply.body, format=ox.QueryResultsFormat.JSON)
    assert isinstance(answer, ox.QuerySolutions)
    yield from answer
