"""What the server asks of a worker process, and what it gets back: messages, and the evaluation itself.

A worker holds one store, read-only. A message is a number, two lengths, a JSON array and a body of bytes; a reply has
the number of its job. A message without JSON recalls the jobs sent before it, but those up to a number in its body.
"""

from __future__ import annotations

import csv
import json
import struct
from collections.abc import Iterable
from functools import lru_cache
from itertools import islice
from typing import Any, Final, NamedTuple

import pyoxigraph as ox

from kgbuild.store import names_dataset, sorted_triples, syntax_error, tokens, uses_service

HEAD: Final = struct.Struct(">QII")
"""The number of a message, and the lengths of its JSON and of its body in bytes."""

RESULT_FORMATS: Final = {
    "application/sparql-results+json": ox.QueryResultsFormat.JSON,
    "application/sparql-results+xml": ox.QueryResultsFormat.XML,
    "text/csv": ox.QueryResultsFormat.CSV,
    "text/tab-separated-values": ox.QueryResultsFormat.TSV,
}
_LEAST: Final = {"application/sparql-results+json": 3, "application/sparql-results+xml": 15}
"""The fewest bytes that a row takes; TSV and CSV need one."""


class Job(NamedTuple):
    """A query to evaluate; formats are media types, of which the one that fits the kind of answer is used.

    `default` and `named` are the graphs of its dataset; None is the union of all graphs, with all of them by name. With
    a `task` it is not a query but something to look up in the build, and `query` is the JSON that says what.
    """

    query: str
    results: str = "application/sparql-results+json"
    graph: str = "text/turtle"
    default: tuple[str, ...] | None = None
    named: tuple[str, ...] | None = None
    task: str = ""


class Reply(NamedTuple):
    """What became of a job; `media` is the type of the body.

    A worker says `ok`, `syntax`, `service`, `size`, `media` or `storage`; its pool `time`, `memory` or `busy`.
    """

    status: str
    body: bytes = b""
    media: str = ""
    message: str = ""
    line: int = 0
    column: int = 0


class Message(NamedTuple):
    """A job, a reply, or, without a head, a recall."""

    number: int
    head: bytes = b""
    body: bytes = b""

    def pack(self) -> bytes:
        """Spell the message for a socket."""
        return b"".join((HEAD.pack(self.number, len(self.head), len(self.body)), self.head, self.body))


_USUAL: Final = 300
"""Bytes of the JSON of most messages: what is written and read there is remembered."""


def _write(*values: Any) -> bytes:
    return json.dumps(values).encode()


def _read(head: bytes) -> tuple[Any, ...]:
    return _read_usual(head) if len(head) <= _USUAL else _read_usual.__wrapped__(head)


@lru_cache(maxsize=256)
def _read_usual(head: bytes) -> tuple[Any, ...]:
    return tuple(tuple(item) if isinstance(item, list) else item for item in json.loads(head))


_write_usual = lru_cache(maxsize=256)(_write)


def job_message(job: Job, number: int) -> Message:
    """Return a job as a message.

    >>> job = Job("ASK {}", default=("http://a/",)); read_job(job_message(job, 1)) == job
    True
    """
    write = _write_usual if job.default is None and job.named is None else _write
    head = write(job.results, job.graph, job.default, job.named, job.task)
    return Message(number, head, job.query.encode("utf-8", "surrogatepass"))


def read_job(message: Message) -> Job:
    """Read a job from a message."""
    return Job(message.body.decode("utf-8", "surrogatepass"), *_read(message.head))


def reply_message(reply: Reply, number: int) -> Message:
    """Return a reply as a message.

    >>> reply = Reply("ok", b"true", "text/csv"); read_reply(reply_message(reply, 1)) == reply
    True
    """
    write = _write if reply.message else _write_usual
    return Message(number, write(reply.status, reply.media, reply.message, reply.line, reply.column), reply.body)


def recall_message(number: int, begun: int) -> Message:
    """Return a message that recalls the jobs after the one that has begun."""
    return Message(number, body=str(begun).encode())


def recalled_after(message: Message) -> int | None:
    """Return the number of the last job that a message does not recall; None where it is no recall.

    >>> recalled_after(recall_message(8, 3)), recalled_after(job_message(Job("ASK {}"), 9))
    (3, None)
    """
    return None if message.head else int(message.body)


def read_reply(message: Message) -> Reply:
    """Read a reply from a message."""
    status, media, words, line, column = _read(message.head)
    return Reply(status, message.body, media, words, line, column)


class Messages:
    """Bytes as they come from a socket, cut into messages.

    >>> messages, message = Messages(), Message(1, b"[]", b"tea")
    >>> messages.take(message.pack()[:9]), messages.take(message.pack()[9:] + message.pack()) == [message, message]
    ([], True)
    """

    def __init__(self) -> None:
        self.parts: list[bytes] = []
        self.got, self.needed = 0, HEAD.size

    def take(self, part: bytes) -> list[Message]:
        """Take the next bytes; return the messages that are whole now."""
        self.parts.append(part)
        self.got += len(part)
        if self.got < self.needed:
            return []
        data = b"".join(self.parts) if len(self.parts) > 1 else part
        found: list[Message] = []
        start, self.needed = 0, HEAD.size
        while self.got - start >= HEAD.size:
            number, head, body = HEAD.unpack_from(data, start)
            middle = start + HEAD.size + head
            end = middle + body
            if end > self.got:
                self.needed = end - start
                break
            found.append(Message(number, data[start + HEAD.size : middle], data[middle:end]))
            start = end
        self.got -= start
        self.parts = [data[start:]] if self.got else []
        return found


class _TooLargeError(OSError):
    """An answer that is larger than allowed."""


class _Buffer:
    """A file that takes so many bytes and no more."""

    def __init__(self, most: int) -> None:
        self.parts: list[bytes] = []
        self.left = most

    def write(self, data: bytes) -> int:
        self.left -= len(data)
        if self.left < 0:
            raise _TooLargeError
        self.parts.append(bytes(data))
        return len(data)

    def flush(self) -> None:
        """Do nothing: all is kept."""


def evaluate(
    store: ox.Store, job: Job, prefixes: dict[str, str], rows: int, most: int, *, services: bool = False
) -> Reply:
    """Evaluate a query; an answer of more than `rows` rows or `most` bytes is refused, never cut.

    With `services` the query may hold SERVICE: the server has seen to it that each leads to its own forwarder.
    """
    asks_others = uses_service(job.query)
    if asks_others and not services:
        return Reply("service", message="the query uses SERVICE, which this server does not allow")
    try:
        answer = _answer(store, job, prefixes)
        if isinstance(answer, ox.QueryTriples):
            return write_graph(answer, job.graph, prefixes, rows, most)
        if job.results not in RESULT_FORMATS:
            return Reply("media", message="the query gives a table or a truth value")
        return _table(answer, job.results, rows, most)
    except SyntaxError as error:
        found = syntax_error(error)
        return Reply("syntax", message=found.message, line=found.line, column=found.column)
    except _TooLargeError:
        return _too_large(most)
    except (OSError, RuntimeError) as error:
        if asks_others:
            return Reply("store", message="a SERVICE did not answer, or may not be asked")
        return Reply("storage", message=str(error))
    except ValueError as error:
        return Reply("syntax", message=str(error), line=1, column=1)


def _answer(
    store: ox.Store, job: Job, prefixes: dict[str, str]
) -> ox.QuerySolutions | ox.QueryTriples | ox.QueryBoolean:
    """Ask the store; the known prefixes are given to a query that fails without them, for most declare their own."""
    dataset = _dataset(job)
    try:
        return store.query(job.query, **dataset)
    except SyntaxError:
        return store.query(job.query, prefixes=prefixes, **dataset)


def _dataset(job: Job) -> dict[str, Any]:
    """Return the dataset of a query: that of the protocol, else that of FROM, else the union of all graphs."""
    if job.default is None and job.named is None:
        return {"use_default_graph_as_union": not names_dataset(job.query)}
    return {
        "default_graph": [ox.NamedNode(name) for name in job.default or ()],
        "named_graphs": [ox.NamedNode(name) for name in job.named or ()],
    }


_FORMS: Final = {"SELECT": "table", "ASK": "table", "CONSTRUCT": "graph", "DESCRIBE": "graph"}


def form_of(sparql: str) -> str:
    """Return what a query gives: `graph` for CONSTRUCT and DESCRIBE, else `table`.

    >>> form_of("PREFIX select: <http://a/> CONSTRUCT WHERE { ?s ?p ?o }"), form_of("ASK {}")
    ('graph', 'table')
    """
    return next((_FORMS[token.upper()] for token in tokens(sparql) if token.upper() in _FORMS), "table")


def write_graph(triples: Iterable[ox.Triple], media: str, prefixes: dict[str, str], rows: int, most: int) -> Reply:
    """Write a graph, sorted; one that is too large is refused."""
    form = ox.RdfFormat.from_media_type(media) if media else None
    if form is None:
        return Reply("media", message="the query gives a graph")
    kept = list(islice(triples, rows + 1))
    if len(kept) > rows:
        return Reply("size", message=f"the answer has more than {rows:,} triples")
    used = {}
    if form in {ox.RdfFormat.TURTLE, ox.RdfFormat.TRIG}:
        text = "".join(map(str, kept))
        used = {name: space for name, space in prefixes.items() if f"<{space}" in text}
    buffer = _Buffer(most)
    try:
        ox.serialize(sorted_triples(kept), buffer, form, prefixes=used)  # type: ignore[arg-type]  # a file for writing
    except _TooLargeError:
        return _too_large(most)
    return Reply("ok", b"".join(buffer.parts), media)


def _too_large(most: int) -> Reply:
    return Reply("size", message=f"the answer is larger than {most:,} bytes")


def _table(answer: ox.QuerySolutions | ox.QueryBoolean, media: str, rows: int, most: int) -> Reply:
    buffer = _Buffer(most)
    answer.serialize(buffer, RESULT_FORMATS[media])  # type: ignore[arg-type]  # a file for writing
    body = b"".join(buffer.parts)
    if isinstance(answer, ox.QuerySolutions) and more_rows(body, media, rows):
        return Reply("size", message=f"the answer has more than {rows:,} rows")
    return Reply("ok", body, media)


def more_rows(body: bytes, media: str, rows: int) -> bool:
    """Count the rows of a written answer, where it is so long that there may be too many."""
    if len(body) <= rows * _LEAST.get(media, 1):
        return False
    if media == "text/tab-separated-values":
        return body.count(b"\n") - 1 > rows
    if media == "text/csv":
        return sum(1 for _ in csv.reader(body.decode("utf-8").splitlines(keepends=True))) - 1 > rows
    answer = ox.parse_query_results(body, format=RESULT_FORMATS[media])
    return isinstance(answer, ox.QuerySolutions) and sum(1 for _ in answer) > rows
