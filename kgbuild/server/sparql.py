"""The SPARQL 1.1 Protocol for queries, the service description, and reads of the Graph Store Protocol."""

from __future__ import annotations

import asyncio
import hashlib
import json
import re
from binascii import a2b_qp
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, NamedTuple
from urllib.parse import unquote_to_bytes

import pyoxigraph as ox

from kgbuild.server.cache import Cache
from kgbuild.server.connections import FOUND
from kgbuild.server.jobs import Job, Reply
from kgbuild.server.negotiation import GRAPHS, HTML, RESULTS, TABLES, Syntax, by_extension, choose
from kgbuild.server.replies import answer, compress_apart, problem
from kgbuild.server.settings import NOTICE
from kgbuild.store import holds
from kgbuild.terms import is_iri

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response

METHODS: Final = "GET, HEAD, POST, OPTIONS"
STATUS: Final = {
    "syntax": 400, "service": 403, "media": 406, "size": 422, "time": 504, "memory": 507, "busy": 503, "store": 502,
}  # fmt: skip
"""How the server answers a query that gave no answer, by what became of it."""

HEADERS: Final = {"Vary": "Accept", "Kgbuild-Notice": NOTICE}
"""Headers of the answer to every query."""
_LIMIT: Final = {"size", "time", "memory"}
_LASTING: Final = {"ok", "service", "media", "size"}
"""What becomes of a query each time it is asked of the same graph, however it is laid out."""
_OWN: Final = {"busy", "syntax"}
"""What becomes of a query for its client and layout alone."""
_NORMALISED: Final = 20_000
"""Longer queries are asked as they are and not kept."""
_CHANGING: Final = frozenset({"NOW", "RAND", "UUID", "STRUUID", "BNODE", "SERVICE"})
_MOST_FIELDS: Final = 200

Ask = Callable[[Job, str], Awaitable[Reply]]
Learn = Callable[[Syntax | None, Syntax | None], None]


class RefusedError(Exception):
    """A request that cannot be answered, with the status that says why."""

    def __init__(self, status: int, message: str, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(message)
        self.status, self.message, self.headers = status, message, headers or {}


class Found(NamedTuple):
    """What became of a job, the tag of its answer where it may be kept, and whether it was kept from before."""

    reply: Reply
    tag: str = ""
    again: bool = False


@dataclass(frozen=True, slots=True)
class Question:
    """A query as the protocol brings it: its text, its dataset, and a format asked for by name."""

    text: str
    default: tuple[str, ...] | None = None
    named: tuple[str, ...] | None = None
    format: str = ""


_WORD: Final = re.compile(
    r"#[^\n]*|((?:<[^<>\"{}|^`\\\s]*>|\"\"\"(?:[^\"\\]|\\.|\"(?!\"\"))*\"\"\"|'''(?:[^'\\]|\\.|'(?!''))*'''"
    r"|\"(?:[^\"\\\n]|\\.)*\"|'(?:[^'\\\n]|\\.)*'|[^\s#\"'<\\]+|\\.|[<\"'\\])+)",
    re.DOTALL,
)
"""A comment, or all that stands between white space and comments: IRIs, strings, escaped and other characters."""


def normalise(sparql: str) -> str:
    """Return a query without comments and with single spaces, so that what differs in layout alone is one query.

    One that has nothing but single spaces is taken as it is.

    >>> normalise('SELECT  *\\n{ ?s ?p "a  b" } # all')
    'SELECT * { ?s ?p "a  b" }'
    """
    if sparql.isprintable() and "  " not in sparql:
        return sparql.strip()
    return " ".join(filter(None, _WORD.findall(sparql)))


def is_lasting(sparql: str) -> bool:
    """Tell whether a query has the same answer each time it is asked of the same graph.

    >>> is_lasting("SELECT (NOW() AS ?t) {}"), is_lasting("ASK { ?knowledge ?p 'NOW' }")
    (False, True)
    """
    return not holds(sparql, _CHANGING)


async def read_question(request: Request, most: int) -> Question | None:
    """Read a request of the protocol (SPARQL 1.1 Protocol §2.1); None asks for the service description."""
    fields = _fields(request.scope["query_string"])
    if request.method in {"GET", "HEAD"}:
        return _question(fields) if fields else None
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    body = await read_body(request, most)
    if kind == "application/x-www-form-urlencoded":
        return _question(_fields(body))
    if kind == "application/sparql-query":
        if any(name == "query" for name, _ in fields):
            raise RefusedError(400, "the query is in the body; the address may not hold another")
        return _question([("query", _text(body)), *fields])
    if kind == "application/sparql-update":
        raise RefusedError(403, "this server is read-only: updates are refused")
    raise RefusedError(415, "send the query as application/x-www-form-urlencoded or application/sparql-query")


async def read_body(request: Request, most: int) -> bytes:
    """Read the body of a request, but no more bytes than allowed."""
    parts, size = [], 0
    async for part in request.stream():
        size += len(part)
        if size > most:
            raise RefusedError(413, f"a request may hold {most:,} bytes", {"Connection": "close"})
        parts.append(part)
    return b"".join(parts)


def _text(data: bytes) -> str:
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        raise RefusedError(400, "the query is not UTF-8") from None


def _fields(data: bytes) -> list[tuple[str, str]]:
    parts = [part.partition(b"=") for part in data.split(b"&") if part]
    if len(parts) > _MOST_FIELDS:
        raise RefusedError(400, f"a request may hold {_MOST_FIELDS} fields")
    try:
        return [(decoded(name), decoded(value)) for name, _, value in parts]
    except UnicodeDecodeError:
        raise RefusedError(400, "the request is not UTF-8") from None


def decoded(data: bytes) -> str:
    """Decode a name or value of a form; raise `UnicodeDecodeError` where it is not UTF-8.

    Where all is well-formed the decoder of mail does it, which differs but in its sign.

    >>> decoded(b"a+%C3%A9=%3D%2B"), decoded(b"100%")
    ('a é==+', '100%')
    """
    data = data.replace(b"+", b" ")
    if b"%" in data:
        odd = b"\n" in data or b"\r" in data or _BROKEN.search(data)
        data = unquote_to_bytes(data) if odd else a2b_qp(data.replace(b"=", b"=3D").replace(b"%", b"="))
    return data.decode("utf-8")


_BROKEN: Final = re.compile(rb"%(?![0-9A-Fa-f]{2})")


def _question(fields: list[tuple[str, str]]) -> Question:
    if len(fields) == 1 and fields[0][0] == "query":
        return Question(fields[0][1])
    if any(name == "update" for name, _ in fields):
        raise RefusedError(403, "this server is read-only: updates are refused")
    queries = [value for name, value in fields if name == "query"]
    if len(queries) != 1:
        raise RefusedError(400, "give one query" if queries else "there is no query: give it as the parameter 'query'")
    default = _graphs(fields, "default-graph-uri")
    named = _graphs(fields, "named-graph-uri")
    chosen = default is not None or named is not None
    wanted = next((value for name, value in fields if name in {"format", "output"}), "")
    return Question(queries[0], (default or ()) if chosen else None, (named or ()) if chosen else None, wanted)


def _graphs(fields: list[tuple[str, str]], parameter: str) -> tuple[str, ...] | None:
    found = tuple(value for name, value in fields if name == parameter)
    for value in found:
        if not is_iri(value):
            raise RefusedError(400, f"{parameter} is no absolute IRI: {value[:200]}")
    return found or None


class Endpoint:
    """Answers queries: from the cache where the build and the query are the same, else by asking.

    What a remote store answers is not `lasting`: it may change at any time.
    """

    def __init__(self, ask: Ask, digest: str, cache: Cache[Reply], limit: int, *, lasting: bool = True) -> None:
        self.ask, self.digest, self.cache, self.limit, self.lasting = ask, digest, cache, limit, lasting
        self.asked: dict[str, asyncio.Future[Reply | None]] = {}

    async def respond(self, request: Request, learn: Learn | None = None) -> Response:
        """Answer a request of the protocol; `learn` is told the formats of one that holds a query and no more."""
        question = await read_question(request, self.limit)
        if question is None:
            raise RefusedError(400, "there is no query: give it as the parameter 'query'")
        accept = request.headers.get("accept", "")
        table, graph = choose(accept, TABLES), choose(accept, GRAPHS)
        if question.format:
            named = by_extension(question.format, TABLES), by_extension(question.format, GRAPHS)
            table, graph = named if any(named) else (table, graph)
        if table is None and graph is None:
            known = ", ".join(item.media_type for item in (*RESULTS, *GRAPHS))
            raise RefusedError(406, f"the formats are: {known}", {"Vary": "Accept"})
        if learn is not None and not question.format and question.default is None:
            learn(table, graph)
        return await self.answer(request, question, table, graph)

    async def answer(
        self, request: Request, question: Question, table: Syntax | None, graph: Syntax | None
    ) -> Response:
        """Answer a question in the format that suits the kind of its answer."""
        job = job_of(question, table, graph)
        reply, tag, _ = request.scope.get(FOUND) or await self.find(job, client_of(request))
        if reply.status != "ok":
            raise refusal(reply)
        if table is HTML and reply.media == RESULTS[0].media_type:
            from kgbuild.server.pages import answer_page

            page = await asyncio.to_thread(answer_page, question.text, reply.body)
            return answer(request, page, HTML.media_type, hashlib.sha256(page).hexdigest()[:32] if tag else "", HEADERS)
        await compress_apart(request, reply.body, reply.media, tag)
        return answer(request, reply.body, reply.media, tag, HEADERS)

    async def find(self, job: Job, client: str) -> Found:
        """Return what became of a job."""
        lasting = job.task or (self.lasting and len(job.query) <= _NORMALISED and is_lasting(job.query))
        if not lasting:
            return Found(await self.ask(job, client))
        text = job.query if job.task else normalise(job.query)
        key = f"{self.digest} {job.results} {job.graph} {job.default} {job.named} {job.task}\n{text}"
        tag = hashlib.sha256(key.encode("utf-8", "surrogatepass")).hexdigest()[:32]
        kept = self.cache.get(tag)
        if kept is not None:
            return Found(kept, tag, again=True)
        reply = await self._once(tag, job, client)
        if reply.status in _LASTING:
            self.cache.put(tag, reply, len(reply.body) + 500)
        return Found(reply, tag)

    async def look_up(self, task: str, given: object, client: str) -> Any:
        """Return what the build says of something, or None; raise what the client is told where it cannot be had."""
        reply = (await self.find(Job(json.dumps(given), task=task), client)).reply
        if reply.status != "ok":
            raise refusal(reply)
        return json.loads(reply.body)

    async def _once(self, key: str, job: Job, client: str) -> Reply:
        """Ask a job once, however many wait for it; where the one that asked has gone or was refused, the next asks."""
        while (asked := self.asked.get(key)) is not None:
            reply = await asyncio.shield(asked)
            if reply is not None and reply.status not in _OWN:
                return reply
        asked = self.asked[key] = asyncio.get_running_loop().create_future()
        reply = None
        try:
            reply = await self.ask(job, client)
            return reply
        finally:
            del self.asked[key]
            asked.set_result(reply)


def job_of(question: Question, table: Syntax | None, graph: Syntax | None) -> Job:
    """Return the job of a question whose answer is to have one of two formats, by its kind."""
    results = "" if table is None else RESULTS[0].media_type if table is HTML else table.media_type
    return Job(question.text, results, graph.media_type if graph else "", question.default, question.named)


def refusal(reply: Reply) -> RefusedError:
    """Turn what became of a job without an answer into what the client is told."""
    headers = {}
    if reply.status in _LIMIT:
        headers["Kgbuild-Limit"] = reply.status
    if reply.status == "busy":
        headers["Retry-After"] = "2"
    place = f" (line {reply.line}, column {reply.column})" if reply.line else ""
    return RefusedError(STATUS.get(reply.status, 500), reply.message + place, headers)


def client_of(request: Request) -> str:
    """Return the address of a client."""
    return request.client.host if request.client else ""


def refused(request: Request, error: RefusedError) -> Response:
    """Answer with a refusal."""
    return problem(request, error.status, error.message, error.headers)


SD: Final = "http://www.w3.org/ns/sparql-service-description#"


def describe_service(endpoint: str, base: str) -> list[ox.Triple]:
    """Return the SPARQL 1.1 Service Description."""
    rdf_type = ox.NamedNode("http://www.w3.org/1999/02/22-rdf-syntax-ns#type")
    service, dataset = ox.NamedNode(endpoint), ox.NamedNode(f"{endpoint}#dataset")
    default = ox.NamedNode(f"{endpoint}#default-graph")

    def sd(name: str) -> ox.NamedNode:
        return ox.NamedNode(SD + name)

    formats = ox.NamedNode("http://www.w3.org/ns/formats/")
    names = ("SPARQL_Results_JSON", "SPARQL_Results_XML", "SPARQL_Results_CSV", "SPARQL_Results_TSV", "Turtle",
             "N-Triples", "JSON-LD", "RDF_XML", "TriG", "N-Quads")  # fmt: skip
    found = [
        ox.Triple(service, rdf_type, sd("Service")),
        ox.Triple(service, sd("endpoint"), service),
        ox.Triple(service, sd("supportedLanguage"), sd("SPARQL11Query")),
        ox.Triple(service, sd("feature"), sd("UnionDefaultGraph")),
        ox.Triple(service, sd("defaultDataset"), dataset),
        ox.Triple(dataset, rdf_type, sd("Dataset")),
        ox.Triple(dataset, sd("defaultGraph"), default),
        ox.Triple(default, rdf_type, sd("Graph")),
        ox.Triple(dataset, ox.NamedNode("http://rdfs.org/ns/void#uriSpace"), ox.Literal(base)),
    ]
    found += [ox.Triple(service, sd("resultFormat"), ox.NamedNode(formats.value + name)) for name in names]
    return found
