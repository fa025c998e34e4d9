"""Pushing a build into real stores: what arrives is the build, whatever happens on the way."""

from __future__ import annotations

import contextlib
import http.server
import os
import shutil
import socketserver
import subprocess
import sys
import threading
import urllib.error
import urllib.request
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path

import pyoxigraph as ox
import pytest
from stores import free_port, oxigraph, virtuoso
from test_inference import ENTITIES, ONTOLOGY
from test_large import project as large_project

from kgbuild import pushing
from kgbuild.building import build
from kgbuild.diagnostics import AbsentError, UsageError
from kgbuild.editions.edition import name_of
from kgbuild.project import load_project
from kgbuild.pushing import Client, push, read_credentials
from kgbuild.store import EndpointStore, Solutions

GOOD = Path(__file__).parent / "broken" / "_good"


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the good project, built."""
    root = tmp_path_factory.mktemp("push") / "project"
    shutil.copytree(GOOD, root)
    build(root)
    return root


@pytest.fixture
def project(built: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(built, tmp_path / "project"))


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with oxigraph(tmp_path_factory.mktemp("oxigraph")) as store:
        yield store.url


def count(endpoint: str) -> int:
    answer = EndpointStore(endpoint).query("SELECT (COUNT(*) AS ?n) WHERE { GRAPH ?g { ?s ?p ?o } }")
    assert isinstance(answer, Solutions)
    return int(next(answer.dicts())["n"])


def graphs(endpoint: str) -> set[str]:
    answer = EndpointStore(endpoint).query("SELECT DISTINCT ?g WHERE { GRAPH ?g { ?s ?p ?o } }")
    assert isinstance(answer, Solutions)
    return {row["g"] for row in answer.dicts()}


def test_a_build_arrives_whole_and_is_verified(project: Path, server: str) -> None:
    done = push(server, project, chunk=100)
    assert done.kind == "oxigraph"
    assert done.differences == ()
    assert done.chunks > 3
    assert count(f"{server}/query") == done.quads
    assert not [name for name in graphs(f"{server}/query") if name.endswith(pushing.STAGED)]
    assert not list(project.glob(".build.push*"))


def test_the_next_build_takes_the_place_of_the_last(project: Path, server: str) -> None:
    push(server, project)
    before = graphs(f"{server}/query")
    article = project / "data/articles/tea.yaml"
    article.write_text(article.read_text("utf-8").replace("keeps people awake.", "keeps some people awake."), "utf-8")
    build(project)
    done = push(f"{server}/query", project)
    after = graphs(f"{server}/query")
    assert done.differences == ()
    assert count(f"{server}/query") == done.quads
    assert len(before - after) == len(after - before) == 8  # the claim and the index, of four graphs each


def test_the_statements_of_a_large_dataset_arrive_too(tmp_path: Path, server: str) -> None:
    root = large_project(tmp_path / "project")
    build(root, jobs=1)
    assert push(server, root).differences == ()
    sparql = 'SELECT (COUNT(*) AS ?n) WHERE { GRAPH ?g { ?s a ?c } FILTER(STRENDS(STR(?c), "DatasetStatement")) }'
    answer = EndpointStore(f"{server}/query").query(sparql)
    assert isinstance(answer, Solutions)
    assert next(answer.dicts())["n"] == "35"


@pytest.mark.parametrize("large", [False, True])
def test_what_was_inferred_arrives_and_leaves_again(tmp_path: Path, server: str, *, large: bool) -> None:
    root = large_project(tmp_path / "project") if large else Path(shutil.copytree(GOOD, tmp_path / "project"))
    for path, text in (("ontology/tea.ttl", ONTOLOGY), ("data/entities/things.yaml", ENTITIES)):
        with open(root / path, "a", encoding="utf-8") as file:
            file.write(text)
    inferred = f"{load_project(root).base}graph/inferred"
    build(root, jobs=1, infer=True)
    done = command(root, server)
    assert (done.returncode, "differs" in done.stderr) == (0, False), done.stderr
    assert inferred in graphs(f"{server}/query")
    build(root, jobs=1, infer=False)
    assert push(server, root).differences == ()
    assert inferred not in graphs(f"{server}/query")


def test_a_store_that_lost_something_is_told(project: Path, server: str) -> None:
    push(server, project)

    class Leaky(pushing._Remote):
        def switch(self, counts: Mapping[str, int], stale: Iterable[str]) -> None:
            super().switch(counts, stale)
            self.run("DELETE WHERE { GRAPH ?g { ?s <http://www.w3.org/2004/02/skos/core#definition> ?o } }")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pushing, "_Remote", Leaky)
        done = push(server, project)
    assert [line for line in done.differences if "graph/entities> has" in line]


def test_virtuoso_takes_a_build_with_credentials(project: Path, tmp_path: Path) -> None:
    with virtuoso(tmp_path / "virtuoso") as store:
        address = store.url
        with pytest.raises(AbsentError, match=r"answers 40[13]"):
            push(address, project, kind="virtuoso", credentials=("dba", "wrong"))
        done = push(address, project, credentials=("dba", "dba"))
        assert (done.kind, done.differences) == ("virtuoso", ())
        again = push(f"{address}/sparql", project, credentials=("dba", "dba"))
        assert again.differences == ()


def command(project: Path, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "kgbuild", "--project", str(project), "push", *arguments],
        capture_output=True, text=True, check=False, env=os.environ | environment,
    )  # fmt: skip


def test_a_push_that_was_cut_off_goes_on_where_it_stopped(project: Path, tmp_path: Path) -> None:
    sent: list[int] = []
    with oxigraph(tmp_path / "oxigraph") as store, pytest.MonkeyPatch.context() as patch:
        address = store.url
        load = pushing._Remote.load

        def three(remote: pushing._Remote, lines: list[str]) -> None:
            if len(sent) == 3:
                raise KeyboardInterrupt
            sent.append(len(lines))
            load(remote, lines)

        patch.setattr(pushing._Remote, "load", three)
        with pytest.raises(KeyboardInterrupt):
            push(address, project, chunk=50)
        patch.undo()
        assert list(project.glob(".build.push*"))
        done = push(address, project, chunk=50)
        assert (done.resumed, done.differences) == (3, ())
        assert count(f"{address}/query") == done.quads


Forward = Callable[[bytes], tuple[int, bytes]]
Lie = Callable[[bytes, Forward], tuple[int, bytes]]


class Meddler:
    """A store behind a proxy that may lie: it sees each body, and says what is forwarded and what is answered."""

    def __init__(self, store: str) -> None:
        self.store, self.lie, self.switches = store, self.honest, 0

    @staticmethod
    def honest(body: bytes, forward: Forward) -> tuple[int, bytes]:
        """Forward everything as it is."""
        return forward(body)

    def quads(self) -> set[ox.Quad]:
        """Return all that the store holds."""
        request = urllib.request.Request(f"{self.store}/store", headers={"Accept": "application/n-quads"})
        with urllib.request.urlopen(request) as response:
            return set(ox.parse(response.read(), format=ox.RdfFormat.N_QUADS))

    def update(self, sparql: str) -> None:
        """Change the store behind the back of a push."""
        Client(self.store, None).post(f"{self.store}/update", sparql.encode(), "application/sparql-update")


@pytest.fixture
def meddler(tmp_path: Path) -> Iterator[tuple[str, Meddler]]:
    """Return the address of a proxy before a store of its own, and the proxy."""
    with oxigraph(tmp_path / "oxigraph") as store:
        proxy = Meddler(store.url)

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                def forward(body: bytes) -> tuple[int, bytes]:
                    kept = {name: self.headers[name] for name in ("Content-Type", "Accept")}
                    request = urllib.request.Request(proxy.store + self.path, data=body, headers=kept)
                    try:
                        with urllib.request.urlopen(request) as response:
                            return response.status, response.read()
                    except urllib.error.HTTPError as error:
                        return error.code, error.read()

                body = self.rfile.read(int(self.headers["Content-Length"]))
                proxy.switches += b"COPY+GRAPH" in body
                status, answer = proxy.lie(body, forward)
                if status:  # else the connection ends without a word
                    self.send_response(status)
                    self.send_header("Content-Length", str(len(answer)))
                    self.end_headers()
                    self.wfile.write(answer)

            def log_message(self, *_: object) -> None:
                """Say nothing."""

        with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
            threading.Thread(target=server.serve_forever, daemon=True).start()
            yield f"http://127.0.0.1:{server.server_port}", proxy
            server.shutdown()


def dumped(project: Path) -> set[ox.Quad]:
    """Return all that the build holds."""
    path = project / "build/site/data" / f"{name_of(load_project(project))}.nq"
    return set(ox.parse(path.read_bytes(), format=ox.RdfFormat.N_QUADS))


def small(project: Path, address: str) -> subprocess.CompletedProcess[str]:
    """Push in small chunks."""
    return command(project, address, "--store", "oxigraph", "--chunk", "50")


def in_place(quads: set[ox.Quad]) -> set[ox.Quad]:
    """Return the quads of the graphs that are served under one name for good."""
    return {quad for quad in quads if not str(quad.graph_name).endswith("#pushed>") and "/np/" not in str(quad)}


@pytest.mark.parametrize("status", [504, 0], ids=["timeout", "dropped"])
def test_a_switch_whose_answer_is_lost_loses_nothing(project: Path, meddler: tuple[str, Meddler], status: int) -> None:
    address, proxy = meddler

    def lie(body: bytes, forward: Forward) -> tuple[int, bytes]:
        done = forward(body)
        return (status, b"") if b"COPY+GRAPH" in body and proxy.switches < 3 else done

    proxy.lie = lie
    done = small(project, address)
    assert done.returncode == 0, done.stderr
    assert (proxy.switches, proxy.quads()) == (3, dumped(project))


@pytest.mark.parametrize("step", [b"COUNT", b"%23pushed%3E"], ids=["verification", "last drop"])
def test_a_push_that_broke_off_after_the_switch_loses_nothing(
    project: Path, meddler: tuple[str, Meddler], step: bytes
) -> None:
    address, proxy = meddler

    def lie(body: bytes, forward: Forward) -> tuple[int, bytes]:
        return (400, b"no") if proxy.switches and step in body and b"COPY" not in body else forward(body)

    proxy.lie = lie
    cut = small(project, address)
    assert (cut.returncode, "answers 400" in cut.stderr) == (4, True)
    assert in_place(proxy.quads()) == in_place(dumped(project))
    proxy.lie = proxy.honest
    done = small(project, address)
    assert done.returncode == 0, done.stderr
    assert (proxy.switches, proxy.quads()) == (1, dumped(project))


@pytest.mark.parametrize("lost", ["DROP ALL", "DROP GRAPH <https://example.org/tea/graph/void#pushed>"])
@pytest.mark.parametrize("step", [b"COPY+GRAPH", b"graph/void#pushed"], ids=["switch", "load"])
def test_what_was_lost_while_a_push_was_cut_off_is_loaded_again(
    project: Path, meddler: tuple[str, Meddler], step: bytes, lost: str
) -> None:
    address, proxy = meddler
    assert small(project, address).returncode == 0
    before = in_place(proxy.quads())
    sent = 0

    def lie(body: bytes, forward: Forward) -> tuple[int, bytes]:
        nonlocal sent
        sent += step in body
        return (400, b"no") if step in body and sent > (step[:4] != b"COPY") else forward(body)

    proxy.lie = lie
    cut = small(project, address)
    assert cut.returncode == 4
    assert in_place(proxy.quads()) == before
    proxy.lie = proxy.honest
    proxy.update(lost)
    done = small(project, address)
    assert done.returncode == 0, done.stderr
    assert proxy.quads() == dumped(project)


def test_what_never_arrives_whole_is_not_put_in_place(project: Path, meddler: tuple[str, Meddler]) -> None:
    address, proxy = meddler
    assert small(project, address).returncode == 0
    before = in_place(proxy.quads())

    def lie(body: bytes, forward: Forward) -> tuple[int, bytes]:
        kept = [line for line in body.splitlines(keepends=True) if b"graph/void#pushed> ." not in line]
        return forward(b"".join(kept))

    proxy.lie = lie
    for _ in range(2):
        done = small(project, address)
        assert done.returncode == 4
        assert "triples that were sent for graph <https://example.org/tea/graph/void>" in done.stderr
        assert in_place(proxy.quads()) == before
    proxy.lie = proxy.honest
    assert small(project, address).returncode == 0
    assert proxy.quads() == dumped(project)


def test_the_command_says_what_it_did_and_never_a_password(project: Path, server: str, tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("someone\nopen-sesame\n")
    secret.chmod(0o600)
    done = command(project, server, "--credentials", str(secret))
    assert done.returncode == 0, done.stderr
    assert "verified" in done.stderr
    nowhere = f"http://127.0.0.1:{free_port()}"
    away = command(project, nowhere, KGBUILD_PUSH_USER="someone", KGBUILD_PUSH_PASSWORD="open-sesame")
    assert (away.returncode, away.stderr.partition(":")[0]) == (4, "kgbuild")
    assert "open-sesame" not in done.stdout + done.stderr + away.stdout + away.stderr


class Busy(http.server.BaseHTTPRequestHandler):
    """Refuses twice, then answers."""

    seen: list[bytes] = []  # noqa: RUF012  # shared on purpose
    code = 503

    def do_POST(self) -> None:
        self.seen.append(self.rfile.read(int(self.headers["Content-Length"])))
        ready = len(self.seen) > 2
        self.send_response(200 if ready else self.code)
        self.send_header("Content-Length", "4")
        self.end_headers()
        self.wfile.write(b"done" if ready else b"busy")

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def busy() -> Iterator[str]:
    server = http.server.HTTPServer(("127.0.0.1", 0), Busy)
    Busy.seen.clear()
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/"
    server.shutdown()
    server.server_close()


def test_a_busy_store_is_asked_again(busy: str) -> None:
    assert Client(busy, None, pause=0.01).post(busy, b"x", "text/plain") == b"done"
    assert Busy.seen == [b"x"] * 3


def test_a_refusal_is_not_repeated(busy: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Busy, "code", 400)
    with pytest.raises(AbsentError, match="answers 400: busy"):
        Client(busy, None, pause=0.01).post(busy, b"x", "text/plain")
    assert len(Busy.seen) == 1


@contextlib.contextmanager
def babbling(answers: list[bytes]) -> Iterator[str]:
    """Listen on loopback and give these bytes, one after the other, whatever is asked; the last one again and again."""

    class Handler(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            length = 0
            while (line := self.rfile.readline()).strip():
                if line.lower().startswith(b"content-length:"):
                    length = int(line.split(b":")[1])
            self.rfile.read(length)
            self.wfile.write(answers.pop(0) if len(answers) > 1 else answers[0])

    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_address[1]}/"
        server.shutdown()


CUT = b"HTTP/1.1 200 OK\r\nContent-Length: 400\r\n\r\nhalf"
GARBAGE = b"\x16\x03\x01 this is no HTTP\r\n\r\n"
DONE = b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\ndone"


def test_an_answer_that_is_cut_or_garbage_is_asked_for_again() -> None:
    answers = [CUT, GARBAGE, b"", DONE]
    with babbling(answers) as address:
        assert Client(address, None, pause=0.01).post(address, b"x", "text/plain") == b"done"
    assert answers == [DONE]


@pytest.mark.parametrize("kind", ["auto", "sparql"])
def test_what_speaks_no_http_is_no_store(project: Path, kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pushing, "_TRIES", 2)
    with babbling([GARBAGE]) as address, pytest.raises(AbsentError, match="no store answers at http"):
        push(address, project, kind=kind)


@pytest.mark.parametrize(
    ("address", "words"),
    [
        ("http://me:secret@localhost/", "no credentials in an address"),
        ("http://me:secret@localhost:port/", "no credentials in an address"),
        ("ftp://me:secret@localhost/", "no credentials in an address"),
        ("me:secret@localhost/", "no credentials in an address"),
        ("ftp://localhost/", "is an http"),
        ("http://localhost:port/", "is an http"),
        ("http://[localhost/", "is an http"),
    ],
)
def test_an_address_that_will_not_do_is_refused(address: str, words: str) -> None:
    with pytest.raises(UsageError, match=words) as raised:
        Client(address, None)
    assert "secret" not in str(raised.value)


@pytest.mark.parametrize(
    ("endpoint", "update", "words"),
    [
        ("http://127.0.0.1:9/query", "http://me:open-sesame@127.0.0.1:9/update", "no credentials in an address"),
        ("https://127.0.0.1:9/query", "http://127.0.0.1:9/update", "updates to the same host must be too"),
        ("https://127.0.0.1:9/query", "ftp://127.0.0.1:9/update", "is an http(s) address"),
    ],
)
def test_an_address_for_updates_is_as_good_as_the_endpoint(
    project: Path, endpoint: str, update: str, words: str
) -> None:
    done = command(project, endpoint, "--store", "sparql", "--update", update)
    assert (done.returncode, words in done.stderr, "open-sesame" in done.stderr) == (2, True, False), done.stderr


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_a_password_is_never_sent_in_clear_to_another_machine(scheme: str) -> None:
    seen: list[str | None] = []

    class Asking(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            seen.append(self.headers["Authorization"])
            self.send_response(401)
            self.send_header("WWW-Authenticate", 'Basic realm="store"')
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    # an address of this machine that is not known as such
    for host, sent in (("127.0.0.2", 1), ("127.0.0.1", 2)):
        with http.server.ThreadingHTTPServer((host, 0), Asking) as server:
            threading.Thread(target=server.serve_forever, daemon=True).start()
            place = f"{host}:{server.server_port}/"
            with pytest.raises(AbsentError, match="answers 401"):
                Client(f"{scheme}://{place}", ("me", "open-sesame")).post(f"http://{place}", b"x", "text/plain")
            server.shutdown()
        assert [bool(header) for header in seen] == [False, True][:sent]
        seen.clear()


def test_a_file_that_others_may_read_is_no_place_for_a_password(tmp_path: Path) -> None:
    path = tmp_path / "secret"
    path.write_text("me\nsesame\n")
    path.chmod(0o644)
    with pytest.raises(UsageError, match="chmod 600"):
        read_credentials(path)
    path.chmod(0o600)
    assert read_credentials(path) == ("me", "sesame")


def test_without_a_build_there_is_nothing_to_push(tmp_path: Path, server: str) -> None:
    shutil.copytree(GOOD, tmp_path / "project")
    with pytest.raises(UsageError, match="run `kgbuild build`"):
        push(server, tmp_path / "project")
