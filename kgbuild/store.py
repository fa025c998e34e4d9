"""Stores that answer SPARQL: the one door to Oxigraph, and to any SPARQL 1.1 endpoint over HTTP.

Queries see the union of all graphs, unless FROM names some. `SERVICE` is refused unless allowed: it would reach out
without a time limit.
"""

from __future__ import annotations

import io
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import pyoxigraph as ox

from kgbuild.diagnostics import AbsentError, UnreadableError, UsageError

Term = ox.NamedNode | ox.Literal | ox.BlankNode | ox.Triple


@dataclass(frozen=True, slots=True)
class Solutions:
    """The answer to a SELECT: variables, and rows of terms (None where unbound)."""

    variables: tuple[str, ...]
    rows: tuple[tuple[Term | None, ...], ...]

    def dicts(self) -> Iterator[dict[str, str]]:
        """Return each row as the lexical values of its bound variables."""
        for row in self.rows:
            yield {name: lexical(term) for name, term in zip(self.variables, row, strict=True) if term is not None}


@dataclass(frozen=True, slots=True)
class Graph:
    """The answer to a CONSTRUCT or DESCRIBE: triples, sorted by their N-Triples spelling."""

    triples: tuple[ox.Triple, ...]


Answer = Solutions | Graph | bool


class Store(Protocol):
    """What answers queries."""

    def query(self, sparql: str, prefixes: dict[str, str] | None = None) -> Answer:
        """Evaluate a query over the union of all graphs."""


class QuerySyntaxError(Exception):
    """A query that cannot be parsed, with the place in its text."""

    def __init__(self, message: str, line: int, column: int) -> None:
        super().__init__(message)
        self.message, self.line, self.column = message, line, column


def lexical(term: Term) -> str:
    """Return the lexical value of a term."""
    return str(term) if isinstance(term, ox.Triple) else term.value


class OxigraphStore:
    """Oxigraph, in memory or on disk."""

    def __init__(self, store: ox.Store, *, services: bool = False) -> None:
        self.store = store
        self.services = services

    @classmethod
    def of(cls, nquads: bytes) -> OxigraphStore:
        """Load N-Quads into memory."""
        store = ox.Store()
        store.load(nquads, format=ox.RdfFormat.N_QUADS)
        return cls(store)

    @classmethod
    def write(cls, folder: Path, *nquads: Path) -> None:
        """Write a store on disk from files of N-Quads."""
        try:
            store = ox.Store(str(folder))
            for path in nquads:
                store.bulk_load(path=str(path), format=ox.RdfFormat.N_QUADS)
            store.optimize()
            store.flush()
        except OSError as error:
            raise UnreadableError(f"cannot write the store {folder}: {error}") from error

    @classmethod
    def create(cls, folder: Path) -> OxigraphStore:
        """Make an empty store on disk."""
        try:
            return cls(ox.Store(str(folder)))
        except OSError as error:
            raise UnreadableError(f"cannot write the store {folder}: {error}") from error

    @classmethod
    def temporary(cls) -> OxigraphStore:
        """Make an empty store on disk that goes with this value."""
        import shutil
        import tempfile
        import weakref

        folder = tempfile.mkdtemp(prefix="kgbuild-")
        made = cls.create(Path(folder))
        weakref.finalize(made, shutil.rmtree, folder, ignore_errors=True)
        return made

    def add_all(self, pieces: Iterator[bytes]) -> None:
        """Add N-Quads that were written here, piece by piece: as one load, which a store on disk does far faster."""
        stream = _Pieces(pieces)
        try:
            self.store.bulk_load(stream, format=ox.RdfFormat.N_QUADS, lenient=True)  # type: ignore[arg-type]  # it reads
        except OSError as error:
            raise UnreadableError(f"cannot write the store: {error}") from error
        if stream.failed is not None:
            raise stream.failed

    def triples(self) -> str:
        """Return the union of all graphs as N-Triples."""
        triples = dict.fromkeys(quad.triple for quad in self.store)
        return (ox.serialize(triples, format=ox.RdfFormat.N_TRIPLES) or b"").decode()

    def flush(self) -> None:
        """Make sure that what was added is on the disk."""
        try:
            self.store.flush()
        except OSError as error:
            raise UnreadableError(f"cannot write the store: {error}") from error

    @classmethod
    def open(cls, folder: Path, *, services: bool = False) -> OxigraphStore:
        """Open a store on disk for reading; several processes may do so at once."""
        try:
            return cls(ox.Store.read_only(str(folder)), services=services)
        except OSError as error:
            raise UnreadableError(f"cannot open the store {folder}: {error}") from error

    def copy(self, *, but: str = "") -> OxigraphStore:
        """Return the store in memory, without the graph `but`."""
        store = ox.Store()
        left_out = ox.NamedNode(but) if but else None
        store.bulk_extend(quad for quad in self.store if quad.graph_name != left_out)
        return OxigraphStore(store, services=self.services)

    def add(self, nquads: bytes) -> None:
        """Load N-Quads beside what is there; raise `OSError` for a store that is open for reading only."""
        self.store.load(nquads, format=ox.RdfFormat.N_QUADS)

    def extend(self, quads: Iterable[ox.Quad]) -> None:
        """Add quads beside what is there."""
        self.store.bulk_extend(quads)

    def query(self, sparql: str, prefixes: dict[str, str] | None = None) -> Answer:
        """Evaluate a query over the union of all graphs, or over the graphs that its FROM names.

        Raises `QuerySyntaxError`, or `UsageError` for a SERVICE that is not allowed.
        """
        if not self.services and uses_service(sparql):
            raise UsageError("the query uses SERVICE, which asks other servers; allow it with --allow-service")
        try:
            answer = self.store.query(sparql, prefixes=prefixes, use_default_graph_as_union=not names_dataset(sparql))
            if isinstance(answer, ox.QuerySolutions):
                variables = tuple(variable.value for variable in answer.variables)
                return Solutions(variables, tuple(tuple(row) for row in answer))
            if isinstance(answer, ox.QueryBoolean):
                return bool(answer)
            return Graph(sorted_triples(answer))
        except SyntaxError as error:
            raise syntax_error(error) from None
        except (OSError, RuntimeError) as error:
            raise AbsentError(f"the query cannot be evaluated: {error}") from error


class _Pieces(io.RawIOBase):
    """Bytes that come in pieces, as a file; a fault in making them ends the file and is kept."""

    def __init__(self, pieces: Iterator[bytes]) -> None:
        self.pieces, self.rest = pieces, b""
        self.failed: BaseException | None = None

    def readable(self) -> bool:
        """Say that it can be read."""
        return True

    def read(self, size: int = -1) -> bytes:
        """Return the next bytes, at most `size`; none at the end."""
        try:
            while not self.rest:
                self.rest = next(self.pieces)
        except StopIteration:
            return b""
        except BaseException as error:  # noqa: BLE001  # raised again when the load has ended
            self.failed = error
            return b""
        found, self.rest = (self.rest[:size], self.rest[size:]) if size >= 0 else (self.rest, b"")
        return found


class EndpointStore:
    """A SPARQL 1.1 endpoint over HTTP (SPARQL Protocol §2.1: query via URL-encoded POST)."""

    def __init__(self, url: str, *, timeout: float = 60.0) -> None:
        if not url.startswith(("http://", "https://")):
            raise UsageError(f"an endpoint is an http(s) address, not '{url}'")
        self.url, self.timeout = url, timeout

    def query(self, sparql: str, prefixes: dict[str, str] | None = None) -> Answer:
        """Send a query; raise `AbsentError` where nothing answers, `QuerySyntaxError` where the query is refused."""
        import urllib.error
        import urllib.parse
        import urllib.request

        heading = "".join(
            f"PREFIX {name}: <{space}>\n" for name, space in (prefixes or {}).items() if f"{name}:" in sparql
        )
        body = urllib.parse.urlencode({"query": heading + sparql}).encode()
        accept = "application/sparql-results+json, text/turtle;q=0.9, application/n-triples;q=0.8"
        request = urllib.request.Request(self.url, data=body, headers={"Accept": accept})  # noqa: S310  # scheme checked
        try:
            with urllib.request.urlopen(request, timeout=self.timeout) as response:  # noqa: S310  # scheme checked
                media = response.headers.get_content_type()
                data = response.read()
        except urllib.error.HTTPError as error:
            message = error.read(2000).decode("utf-8", "replace").strip() or str(error)
            if error.code == 400:
                raise QuerySyntaxError(message.splitlines()[0], 1, 1) from None
            raise AbsentError(f"{self.url} answers {error.code}: {message.splitlines()[0]}") from None
        except OSError as error:
            reason = getattr(error, "reason", error)
            raise AbsentError(f"no endpoint answers at {self.url}: {reason}") from None
        return _parsed(data, media, self.url)


def _parsed(data: bytes, media: str, url: str) -> Answer:
    try:
        if "sparql-results" in media or media == "application/json":
            answer = ox.parse_query_results(data, format=ox.QueryResultsFormat.JSON)
            if isinstance(answer, ox.QueryBoolean):
                return bool(answer)
            variables = tuple(variable.value for variable in answer.variables)
            return Solutions(variables, tuple(tuple(row) for row in answer))
        rdf_format = ox.RdfFormat.from_media_type(media)
        if rdf_format is None:
            raise AbsentError(f"{url} answers with {media}, which is no SPARQL result")
        return Graph(sorted_triples(quad.triple for quad in ox.parse(data, rdf_format)))
    except (SyntaxError, ValueError) as error:
        raise AbsentError(f"{url} answers with a broken {media}: {error}") from error


def sorted_triples(triples: Iterable[ox.Triple]) -> tuple[ox.Triple, ...]:
    """Sort triples by their N-Triples spelling, each once."""
    return tuple(sorted(set(triples), key=str))


def syntax_error(error: SyntaxError) -> QuerySyntaxError:
    """Turn Oxigraph's error, whose place stands only in its words, into one with a place and plain words.

    >>> made = syntax_error(SyntaxError("error at 2:11: expected one of Prefix not found, ['%'], [':']"))
    >>> made.message, made.line, made.column
    ('the prefix is not declared', 2, 11)
    """
    found = re.match(r"error at (\d+):(\d+): (.*)", str(error.msg), re.DOTALL)
    if found is None:
        return QuerySyntaxError(str(error.msg), error.lineno or 1, error.offset or 1)
    words = " ".join(found[3].split())
    if "Prefix not found" in words:
        words = "the prefix is not declared"
    return QuerySyntaxError(words, int(found[1]), int(found[2]))


_TOKEN = re.compile(
    r"#[^\n]*|<[^<>\"{}|^`\\\s]*>|\"\"\"(?:[^\"\\]|\\.|\"(?!\"\"))*\"\"\"|'''(?:[^'\\]|\\.|'(?!''))*'''"
    r"|\"(?:[^\"\\\n]|\\.)*\"|'(?:[^'\\\n]|\\.)*'|[?$]\w+|(?:[\w:.%-]|\\[^\w\s])+|.",
    re.DOTALL,
)


def tokens(sparql: str) -> list[str]:
    """Cut a query into comments, IRIs, strings, variables, words and characters; joined again they are the query.

    >>> tokens('ASK { ?s ?p "SERVICE" }')[-3]
    '"SERVICE"'
    """
    return _TOKEN.findall(sparql)


def holds(sparql: str, keywords: frozenset[str]) -> bool:
    """Tell whether a query holds one of some keywords, given in capitals, outside strings, IRIs and comments.

    >>> holds("ask { ?now ?p 'NOW' }", frozenset({"NOW"})), holds("SELECT (now() AS ?t) {}", frozenset({"NOW"}))
    (False, True)
    """
    text = sparql.upper()
    for word in keywords:
        if word in text:
            return any(token.upper() in keywords for token in tokens(sparql))
    return False


_FROM = frozenset({"FROM"})
_REACHING = frozenset({"SERVICE", "LOAD"})


def names_dataset(sparql: str) -> bool:
    """Tell whether a query names its dataset with FROM.

    >>> names_dataset("SELECT * FROM <http://a/> {}"), names_dataset('SELECT ("FROM" AS ?x) {} # FROM')
    (True, False)
    """
    return holds(sparql, _FROM)


def uses_service(sparql: str) -> bool:
    """Tell whether a query holds the keyword SERVICE or LOAD outside strings, IRIs and comments.

    >>> uses_service("SELECT * { SERVICE <http://a/> { ?s ?p ?o } }"), uses_service("# SERVICE\\nASK {}")
    (True, False)
    >>> uses_service("ASK { ?s a:b\\\\# ?o SERVICE <http://a/> {} }")  # an escaped # in a name starts no comment
    True
    """
    return holds(sparql, _REACHING)
