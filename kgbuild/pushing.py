"""Push: load a build into a SPARQL 1.1 store over HTTP, in chunks that can be repeated, and verify what arrived.

Nanopublications never change under their names, so they are loaded where they belong. All other graphs are loaded
aside, under names of their own; once a count finds them whole, one update copies them into place and drops what the
build no longer holds; what is aside is dropped last. So each step can be repeated, whether or not its answer arrived;
what was done is written down, so that a push that was killed goes on where it stopped.
"""

from __future__ import annotations

import contextlib
import gzip
import hashlib
import http.client
import json
import random
import re
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import IO, Any, Final

import pyoxigraph as ox

from kgbuild.diagnostics import AbsentError, UnreadableError, UsageError
from kgbuild.editions.edition import name_of
from kgbuild.project import Project, load_project
from kgbuild.store import OxigraphStore, Solutions, Term

STAGED: Final = "#pushed"
"""What stands behind the name of a graph until it is put in place."""
USER, PASSWORD = "KGBUILD_PUSH_USER", "KGBUILD_PUSH_PASSWORD"  # names of variables
_TRIES = 6
_BUSY = frozenset({408, 425, 429, 500, 502, 503, 504})
_SAMPLE = 20
_GRAPH = re.compile(r" <([^<>]*)> \.$")


@dataclass(frozen=True, slots=True)
class Kind:
    """How a kind of store is spoken to: the paths behind its address, and how many quads it takes at once."""

    query: str
    update: str
    quads: str | None
    chunk: int


KINDS: Final = {
    "oxigraph": Kind("/query", "/update", "/store", 50_000),
    "virtuoso": Kind("/sparql", "/sparql-auth", None, 400),
    "sparql": Kind("", "", None, 1_000),
}
"""`sparql` is any store: INSERT DATA at the update address, which is that of queries unless given."""


@dataclass(frozen=True, slots=True)
class Pushed:
    """What a push did, and where the store differs from the build."""

    kind: str
    quads: int
    graphs: int
    chunks: int
    resumed: int
    differences: tuple[str, ...]


def push(
    endpoint: str,
    start: Path | str = ".",
    *,
    kind: str = "auto",
    update: str | None = None,
    credentials: tuple[str, str] | None = None,
    chunk: int | None = None,
    again: bool = False,
    progress: Callable[[str], None] | None = None,
) -> Pushed:
    """Load the build of the project at or above `start` into the store at `endpoint`, and verify it.

    Raises `UsageError` where there is no build, `AbsentError` where the store cannot be reached or refuses.
    """
    client = Client(endpoint, credentials)
    if update is not None:
        update = _update_address(update, endpoint)
    project = load_project(Path(start))
    release = _Release(project)
    kind = _kind(endpoint, client) if kind == "auto" else kind
    how = KINDS[kind]
    base = _without(endpoint, how)
    remote = _Remote(
        client,
        query=base + how.query if how.query else endpoint,
        update=update or (base + how.update if how.update else endpoint),
        quads=base + how.quads if how.quads else None,
    )
    size = chunk or how.chunk
    journal = _Journal(project, endpoint, f"{release.digest} {kind} {size}")
    if again:
        journal.end()
    state = journal.read()
    tell = progress or (lambda _: None)
    try:
        done = _transfer(remote, release, journal, state, size, tell)
    except _LostError as error:
        journal.end()
        if not state.chunks:
            raise
        tell(f"{error}; starting over")
        state = _State()
        done = _transfer(remote, release, journal, state, size, tell)
    differences = tuple(verify(remote, release))
    remote.drop(name + STAGED for name in release.counts)
    journal.end()
    return Pushed(kind, release.quads, release.graphs, done, state.chunks, differences)


def _transfer(
    remote: _Remote, release: _Release, journal: _Journal, state: _State, size: int, tell: Callable[[str], None]
) -> int:
    """Load what did not arrive before, put it in place, and return the number of chunks."""
    if state.switched:
        return state.chunks
    before = sorted(remote.graphs(release.project.base))
    if not state.chunks:
        remote.drop(name for name in before if name.endswith(STAGED))
    done = state.chunks
    started = time.monotonic()
    for number, lines in enumerate(_bunches(release.lines(), size), 1):
        if number > done:
            remote.load(_staged(lines, release.project.base))
            journal.write(_State(number))
            done = number
            rate = (number - state.chunks) * size / max(time.monotonic() - started, 0.001)
            tell(f"{number * size:,} quads, {rate:,.0f} a second")
    remote.switch(release.counts, [name for name in before if release.is_stale(name)])
    journal.write(_State(done, switched=True))
    return done


class _Release:
    """A build as it is pushed: its lines, its graphs, and its store to compare with."""

    def __init__(self, project: Project) -> None:
        self.project = project
        site = project.build / "site"
        try:
            report = json.loads((project.build / "report.json").read_bytes())
            self.digest, inferred = report["output"], report["inferred"]
        except (OSError, ValueError, KeyError):
            raise UsageError("there is no build to push: run `kgbuild build`") from None
        parts = sorted((site / "data").glob("*.nq.gz"))
        names = [name_of(project), *([f"{name_of(project)}-inferred"] if inferred else [])]
        wholes = [site / "data" / f"{name}.nq" for name in names]
        self.files = [*wholes, *(path for path in parts if re.search(r"-\d{4}\.nq\.gz$", path.name))]
        self.store = OxigraphStore.open(project.build / "store")
        counted = self._counts()
        self.counts = {name: count for name, count in counted.items() if not self._own(name)}
        self.own = sorted(name for name in counted if self._own(name))
        self.held = frozenset(counted)
        self.own_quads = sum(counted[name] for name in self.own)
        self.quads, self.graphs = sum(counted.values()), len(counted)

    def _own(self, graph: str) -> bool:
        return graph.startswith(f"{self.project.base}np/")

    def _counts(self) -> dict[str, int]:
        answer = self.store.query("SELECT ?g (COUNT(*) AS ?n) WHERE { GRAPH ?g { ?s ?p ?o } } GROUP BY ?g")
        assert isinstance(answer, Solutions)
        return {row["g"]: int(row["n"]) for row in answer.dicts()}

    def is_stale(self, graph: str) -> bool:
        """Tell whether a graph of the store below the project's base is one that the build does not hold."""
        return graph not in self.held and not graph.endswith(STAGED)

    def lines(self) -> Iterator[str]:
        """Return the lines of all dumps, in their order."""
        for path in self.files:
            opened = gzip.open if path.suffix == ".gz" else open
            try:
                with opened(path, "rt", encoding="utf-8", newline="\n") as file:
                    yield from file
            except (OSError, EOFError) as error:
                raise UnreadableError(f"cannot read {path}: {error}") from error


class _Remote:
    """The store that is pushed to."""

    def __init__(self, client: Client, query: str, update: str, quads: str | None) -> None:
        self.client, self.query_url, self.update_url, self.quads_url = client, query, update, quads

    def ask(self, sparql: str) -> Solutions:
        """Ask a SELECT."""
        body = urllib.parse.urlencode({"query": sparql}).encode()
        data = self.client.post(self.query_url, body, "application/x-www-form-urlencoded")
        try:
            answer = ox.parse_query_results(data, format=ox.QueryResultsFormat.JSON)
        except (SyntaxError, ValueError) as error:
            raise AbsentError(f"{self.query_url} answers with broken SPARQL JSON: {error}") from error
        assert isinstance(answer, ox.QuerySolutions)
        return Solutions(tuple(item.value for item in answer.variables), tuple(tuple(row) for row in answer))

    def run(self, update: str, *, once: bool = False) -> None:
        """Run an update; `once` leaves it to the caller to repeat it."""
        body = urllib.parse.urlencode({"update": update}).encode()
        send = self.client.send if once else self.client.post
        send(self.update_url, body, "application/x-www-form-urlencoded")

    def load(self, lines: list[str]) -> None:
        """Add N-Quads lines: as they are where the store takes them, else by INSERT DATA."""
        if self.quads_url is not None:
            self.client.post(self.quads_url, "".join(lines).encode(), "application/n-quads")
            return
        graphs: dict[str, list[str]] = {}
        for line in lines:
            found = _GRAPH.search(line)
            assert found is not None
            graphs.setdefault(found[1], []).append(f"{line[: found.start()]} .\n")
        blocks = [f"GRAPH <{name}> {{\n{''.join(triples)}}}\n" for name, triples in graphs.items()]
        self.run(f"INSERT DATA {{\n{''.join(blocks)}}}")

    def graphs(self, base: str) -> Iterator[str]:
        """Return the names of the store's graphs below a base, in pages."""
        after = ""
        while True:
            later = f' && STR(?g) > "{after}"' if after else ""
            sparql = (
                f'SELECT DISTINCT ?g WHERE {{ GRAPH ?g {{ ?s ?p ?o }} FILTER(STRSTARTS(STR(?g), "{base}"){later}) }} '
                "ORDER BY ?g LIMIT 5000"
            )
            names = [row["g"] for row in self.ask(sparql).dicts()]
            yield from names
            if len(names) < 5000:
                return
            after = names[-1]

    def count(self, graph: str) -> int:
        """Count the triples of a graph."""
        (row,) = self.ask(f"SELECT (COUNT(*) AS ?n) WHERE {{ GRAPH <{graph}> {{ ?s ?p ?o }} }}").dicts()
        return int(row["n"])

    def switch(self, counts: Mapping[str, int], stale: Iterable[str]) -> None:
        """Put what is aside in place and drop what is no longer held, in one update.

        COPY may be repeated, but empties its target where its source is gone: each try counts first.
        """
        copies = [f"COPY GRAPH <{name}{STAGED}> TO GRAPH <{name}>" for name in counts]
        update = " ;\n".join([*copies, *map(_dropping, stale)])
        for number in range(_TRIES):
            for name, count in counts.items():
                if (aside := self.count(name + STAGED)) != count:
                    raise _LostError(
                        f"{self.query_url} holds {aside:,} of the {count:,} triples that were sent for graph <{name}>, "
                        "which stays as it was: run `kgbuild push` again"
                    )
            try:
                self.run(update, once=True)
            except FaultError as fault:
                if fault.wait is None or number == _TRIES - 1:
                    raise
                self.client.wait(number, fault.wait)
            else:
                return

    def drop(self, graphs: Iterable[str]) -> None:
        """Drop graphs, if they are there."""
        for names in _bunches(graphs, 500):
            self.run(" ;\n".join(map(_dropping, names)))


def _dropping(graph: str) -> str:
    return f"DROP SILENT GRAPH <{graph}>"


def verify(remote: _Remote, release: _Release) -> Iterator[str]:
    """Compare counts of all shared graphs, of all nanopublications together, and a sample of these word by word."""
    for name, count in release.counts.items():
        if (held := remote.count(name)) != count:
            yield f"graph <{name}> has {held:,} triples, the build {count:,}"
    base = f"{release.project.base}np/"
    sparql = f'SELECT (COUNT(*) AS ?n) WHERE {{ GRAPH ?g {{ ?s ?p ?o }} FILTER(STRSTARTS(STR(?g), "{base}")) }}'
    (row,) = remote.ask(sparql).dicts()
    if int(row["n"]) != release.own_quads:
        yield f"the nanopublications have {int(row['n']):,} triples, in the build {release.own_quads:,}"
    sample = random.Random(release.digest).sample(release.own, min(_SAMPLE, len(release.own)))  # noqa: S311  # a sample
    for name in sorted(sample):
        select = f"SELECT ?s ?p ?o WHERE {{ GRAPH <{name}> {{ ?s ?p ?o }} }}"
        mine = release.store.query(select)
        assert isinstance(mine, Solutions)
        if _comparable(mine) != _comparable(remote.ask(select)):
            yield f"graph <{name}> differs from that of the build"


def _comparable(answer: Solutions) -> set[tuple[str, ...]]:
    return {tuple(_value(term) for term in row) for row in answer.rows}


def _value(term: Term | None) -> str:
    """Return what stores agree on: some write `true` as 1, and numbers in another spelling."""
    if not isinstance(term, ox.Literal):
        return str(term)
    if term.language:
        return f"{term.value}@{term.language.lower()}"
    value = {"true": "1", "false": "0"}.get(term.value, term.value)
    try:
        return f"{Decimal(value).normalize():f}" if len(value) < 40 else value
    except InvalidOperation:
        return value


def _staged(lines: Iterable[str], base: str) -> list[str]:
    """Send the quads of all graphs but the nanopublications' under names of their own."""
    own = f" <{base}np/"
    found = []
    for line in lines:
        start = line.rindex(" <")
        found.append(line if line.startswith(own, start) else f"{line[:-4]}{STAGED}> .\n")
    return found


def _bunches(items: Iterable[str], size: int) -> Iterator[list[str]]:
    bunch: list[str] = []
    for item in items:
        bunch.append(item)
        if len(bunch) == size:
            yield bunch
            bunch = []
    if bunch:
        yield bunch


class _LostError(AbsentError):
    """What was sent is not whole in the store."""


@dataclass(frozen=True, slots=True)
class _State:
    """How far a push is: the chunks that arrived, and whether all is in place."""

    chunks: int = 0
    switched: bool = False


class _Journal:
    """What was done at an endpoint, beside the build."""

    def __init__(self, project: Project, endpoint: str, what: str) -> None:
        name = hashlib.sha256(endpoint.encode()).hexdigest()[:12]
        self.path, self.what = project.build.with_name(f".{project.build.name}.push-{name}.json"), what

    def read(self) -> _State:
        """Return how far this very push is."""
        try:
            document = json.loads(self.path.read_bytes())
            if document["what"] == self.what:
                return _State(int(document["chunks"]), document["switched"] is True)
        except (OSError, ValueError, KeyError, TypeError):
            pass
        return _State()

    def write(self, state: _State) -> None:
        """Note how far a push is."""
        aside = self.path.with_suffix(".new")
        aside.write_text(json.dumps({"what": self.what, "chunks": state.chunks, "switched": state.switched}))
        aside.replace(self.path)

    def end(self) -> None:
        """Forget a push."""
        self.path.unlink(missing_ok=True)


class FaultError(AbsentError):
    """A request without a good answer; `wait` is how long the store asks to be left alone, None where it refuses."""

    def __init__(self, words: str, wait: float | None) -> None:
        super().__init__(words)
        self.wait = wait


def _parts(address: str) -> urllib.parse.SplitResult:
    """Return the parts of an address that requests can be sent to."""
    try:
        parts = urllib.parse.urlsplit(address)
        possible = parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.port != 0
    except ValueError:
        parts, possible = urllib.parse.SplitResult("", "", "", "", ""), False
    if "@" in (parts.netloc if possible else address):
        raise UsageError(f"give no credentials in an address; set {USER} and {PASSWORD}, or use --credentials FILE")
    if not possible:
        raise UsageError(f"an endpoint is an http(s) address, not '{address}'")
    return parts


def _update_address(update: str, endpoint: str) -> str:
    """Return the address for updates; credentials of an encrypted endpoint belong to its host, never in clear."""
    there, here = _parts(update), _parts(endpoint)
    if (here.scheme, there.scheme) == ("https", "http") and here.hostname == there.hostname:
        raise UsageError(f"the endpoint is encrypted, updates to the same host must be too: https, not '{update}'")
    return update


class _Basic(urllib.request.HTTPBasicAuthHandler):
    """Basic authentication where nobody can listen: encrypted, or on this machine."""

    def http_error_401(
        self, req: urllib.request.Request, fp: IO[bytes], code: int, msg: str, headers: http.client.HTTPMessage
    ) -> Any:
        """Answer a challenge, or leave it at the refusal."""
        local = urllib.parse.urlsplit(req.full_url).hostname in {"localhost", "127.0.0.1", "::1"}
        return super().http_error_401(req, fp, code, msg, headers) if local or req.type == "https" else None


class Client:
    """HTTP that waits and tries again, and keeps credentials to itself."""

    def __init__(self, endpoint: str, credentials: tuple[str, str] | None, pause: float = 0.5) -> None:
        parts = _parts(endpoint)
        self.pause = pause
        handlers: list[urllib.request.BaseHandler] = []
        if credentials is not None:
            known = urllib.request.HTTPPasswordMgrWithDefaultRealm()
            known.add_password(None, f"{parts.scheme}://{parts.netloc}/", *credentials)
            handlers += [urllib.request.HTTPDigestAuthHandler(known), _Basic(known)]
        self.opener = urllib.request.build_opener(*handlers)

    def post(self, url: str, body: bytes, media: str) -> bytes:
        """Send a request that may be repeated; wait longer each time the store is busy or away."""
        for number in range(_TRIES):
            try:
                return self.send(url, body, media)
            except FaultError as fault:
                if fault.wait is None or number == _TRIES - 1:
                    raise
                self.wait(number, fault.wait)
        raise AssertionError

    def send(self, url: str, body: bytes, media: str) -> bytes:
        """Send a request once."""
        headers = {"Content-Type": media, "Accept": "application/sparql-results+json, */*;q=0.1"}
        try:
            request = urllib.request.Request(url, data=body, headers=headers)  # noqa: S310  # scheme checked
            with self.opener.open(request, timeout=600) as response:
                return bytes(response.read())
        except urllib.error.HTTPError as error:
            asked = error.headers.get("Retry-After", "")
            wait = (float(asked) if asked.isdecimal() else 0.0) if error.code in _BUSY else None
            hint = f"; set {USER} and {PASSWORD}" if error.code in {401, 403} else ""
            raise FaultError(f"{url} answers {error.code}: {_words(error)}{hint}", wait) from None
        except (ValueError, http.client.InvalidURL) as error:
            raise FaultError(f"no store answers at {url}: {error}", None) from None
        except (OSError, http.client.HTTPException) as error:
            raise FaultError(f"no store answers at {url}: {_reason(error)}", 0.0) from None

    def wait(self, number: int, asked: float) -> None:
        """Wait after so many tries before the next: longer each time, and as long as the store asks."""
        time.sleep(min(30.0, max(asked, self.pause * 2**number)))


def _words(error: urllib.error.HTTPError) -> str:
    """Return the first words of an answer that is an error; they may be cut off."""
    with contextlib.suppress(OSError, http.client.HTTPException):
        return " ".join(error.read(500).decode("utf-8", "replace").split())[:200]
    return "(the answer is cut off)"


def _reason(error: Exception) -> str:
    """Return why no answer came; what is no HTTP at all is quoted and cut."""
    return f"{getattr(error, 'reason', None) or error or type(error).__name__}"[:200]


def _kind(endpoint: str, client: Client) -> str:
    """Tell from its answer what kind of store this is."""
    for kind in ("oxigraph", "virtuoso"):
        if kind in urllib.parse.urlsplit(endpoint).path:
            return kind
    request = urllib.request.Request(_without(endpoint, KINDS["oxigraph"]) + "/", method="GET")  # noqa: S310
    try:
        with client.opener.open(request, timeout=30) as response:
            server = response.headers.get("Server", "")
    except urllib.error.HTTPError as error:
        server = error.headers.get("Server", "")
    except (OSError, ValueError, http.client.HTTPException) as error:
        raise AbsentError(f"no store answers at {endpoint}: {_reason(error)}") from None
    return next((kind for kind in ("oxigraph", "virtuoso") if kind in server.lower()), "sparql")


def _without(endpoint: str, kind: Kind) -> str:
    """Return the address of a server without the path of one of its services."""
    address = endpoint.rstrip("/")
    for path in {"/query", "/update", "/store", "/sparql", "/sparql-auth", kind.query or "/query"}:
        if address.endswith(path):
            return address.removesuffix(path)
    return address


def read_credentials(path: Path) -> tuple[str, str]:
    """Read user and password from the two lines of a file that only its owner may read."""
    try:
        mode = path.stat().st_mode
        lines = path.read_text("utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise UnreadableError(f"cannot read {path}: {getattr(error, 'strerror', None) or error}") from None
    if mode & 0o077:
        raise UsageError(f"others may read {path}: run `chmod 600 {path}`")
    if len(lines) < 2 or not lines[0]:
        raise UsageError(f"{path} must hold two lines: user and password")
    return lines[0], lines[1]
