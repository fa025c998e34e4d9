"""`kgbuild serve --endpoint` before two real stores, and before one that lies."""

from __future__ import annotations

import contextlib
import http.server
import json
import re
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pyoxigraph as ox
import pytest
import stores
from servers import Server, serving

DUMP = "build/site/data/magnesium-rls.nq"
COUNT = "SELECT (COUNT(*) AS ?n) { GRAPH ?g { ?s ?p ?o } FILTER(STRSTARTS(STR(?g), 'https://w3id.org/')) }"


@pytest.fixture(scope="module")
def oxigraph(built: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """Serve the article from `oxigraph serve`."""
    with (
        stores.oxigraph(tmp_path_factory.mktemp("oxigraph"), built / DUMP) as store,
        serving(built, "--endpoint", f"{store.url}/query") as server,
    ):
        yield server


@pytest.fixture(scope="module")
def virtuoso(built: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """Serve the article from Virtuoso, which answers with 10,000 rows at most."""
    with (
        stores.virtuoso(tmp_path_factory.mktemp("virtuoso"), built / DUMP) as store,
        serving(built, "--endpoint", f"{store.url}/sparql") as server,
    ):
        yield server


@pytest.fixture(params=["oxigraph", "virtuoso"])
def remote(request: pytest.FixtureRequest) -> Server:
    found = request.getfixturevalue(request.param)
    assert isinstance(found, Server)
    return found


def test_queries_go_to_the_store(remote: Server) -> None:
    got = remote.query(COUNT)
    assert got.status == 200
    assert int(got.json()["results"]["bindings"][0]["n"]["value"]) > 18_000
    assert remote.query("ASK { id:kale mr:sourceOf id:magnesium }").json()["boolean"] is True
    graph = remote.query("CONSTRUCT WHERE { id:kale mr:sourceOf ?x }", "application/n-triples")
    assert graph.body.count(b"\n") == 1
    assert remote.query("SELECT ?x { id:kale mr:sourceOf ?x }", "text/csv").text.split() == [
        "x", "https://w3id.org/magnesium-rls/id/magnesium",
    ]  # fmt: skip


def test_pages_and_linked_data_are_those_of_the_build(remote: Server, server: Server) -> None:
    paths = ("id/magnesium.html", "claim/magnesium-rls/c018.html", "document/results.html", "query/foods.html")
    for path in (*paths, "query/foods.csv"):
        mine, theirs = (re.sub(r"[\d,.]+ (kB|MB|bytes)", "", item.ask(path).text) for item in (remote, server))
        assert mine == theirs, path
    assert remote.ask("id/magnesium", accept="text/turtle").status == 303
    assert set(ox.parse(remote.ask("claim/magnesium-rls/c018.ttl").body, ox.RdfFormat.TURTLE)) == set(
        ox.parse(server.ask("claim/magnesium-rls/c018.ttl").body, ox.RdfFormat.TURTLE)
    )
    assert remote.ask("api/claim/magnesium-rls/c018").json() == server.ask("api/claim/magnesium-rls/c018").json()


def test_a_store_that_changes_is_asked_anew(built: Path, tmp_path: Path) -> None:
    new = "ASK { <https://example.org/new> ?p ?o }"
    with (
        stores.oxigraph(tmp_path / "store", built / DUMP) as store,
        serving(built, "--endpoint", f"{store.url}/query") as server,
    ):
        assert [server.query(new).json()["boolean"] for _ in range(2)] == [False, False]
        triple = b"INSERT DATA { <https://example.org/new> <https://example.org/p> 1 }"
        update = urllib.request.Request(f"{store.url}/update", triple, {"Content-Type": "application/sparql-update"})
        urllib.request.urlopen(update, timeout=10).close()
        assert [server.query(new).json()["boolean"] for _ in range(2)] == [True, True]


def test_errors_of_the_store_are_passed_on(remote: Server) -> None:
    assert remote.query("SELEC").status == 400
    assert remote.query("SELECT * { SERVICE <http://127.0.0.1:1/> { ?s ?p ?o } }").status == 403
    assert remote.ask("sparql?update=DROP+ALL").status == 403


def test_a_cut_answer_is_not_passed_on(virtuoso: Server) -> None:
    got = virtuoso.query("SELECT ?s ?p ?o { ?s ?p ?o }")
    assert (got.status, got.headers["kgbuild-limit"]) == (422, "size"), "the store gives 10,000 of more rows"


class Liar(http.server.BaseHTTPRequestHandler):
    """A store that breaks off its answers."""

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        whole = {"head": {"vars": ["n"]}, "results": {"bindings": []}, "boolean": True}
        if b"ASK" in body:
            whole = {"head": {}, "boolean": True}
        data = json.dumps(whole).encode()
        if b"slow" in body:
            time.sleep(3)
        self.send_response(200)
        self.send_header("Content-Type", "application/sparql-results+json")
        self.end_headers()
        with contextlib.suppress(BrokenPipeError):
            self.wfile.write(data[:-5] if b"broken" in body else data)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


def test_a_broken_answer_is_found_out() -> None:
    from kgbuild.server.jobs import Job
    from kgbuild.server.remote import Remote
    from kgbuild.server.settings import Limits
    from kgbuild.server.turns import Turns

    store = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Liar)
    threading.Thread(target=store.serve_forever, daemon=True).start()
    try:
        url = f"http://127.0.0.1:{store.server_address[1]}/"
        remote = Remote(url, Limits(seconds=1), Turns(1, 1, 4), {})
        remote.probe()
        assert remote.fetch(Job("ASK { broken }")).status == "store"
        assert remote.fetch(Job("ASK { slow }")).status == "time"
        assert remote.fetch(Job("ASK {}")).status == "ok"
    finally:
        store.shutdown()
        store.server_close()


def test_an_absent_store_is_said(built: Path) -> None:
    command = [sys.executable, "-m", "kgbuild", "-C", str(built), "serve", "--port", "0"]
    done = subprocess.run([*command, "--endpoint", "http://127.0.0.1:1/"], capture_output=True, text=True, check=False)
    assert done.returncode == 4
    assert "no SPARQL endpoint answers" in done.stderr
