"""SERVICE: refused unless allowed, and even then never to an address that is not public."""

from __future__ import annotations

import http.server
import json
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from servers import serving

from kgbuild.server.services import NotAllowedError, Services
from kgbuild.server.settings import Limits


class Store(http.server.BaseHTTPRequestHandler):
    """An endpoint that counts who asks."""

    asked = 0

    def do_POST(self) -> None:
        type(self).asked += 1
        self.rfile.read(int(self.headers["Content-Length"]))
        body = b'{"head":{"vars":["x"]},"results":{"bindings":[{"x":{"type":"literal","value":"found"}}]}}'
        self.send_response(302 if self.path == "/away" else 200)
        self.send_header("Location", "http://127.0.0.1:1/")
        self.send_header("Content-Type", "application/sparql-results+json")
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def store() -> Iterator[str]:
    Store.asked = 0
    running = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Store)
    threading.Thread(target=running.serve_forever, daemon=True).start()
    yield f"http://localhost:{running.server_address[1]}/"
    running.shutdown()
    running.server_close()


def test_a_private_address_is_refused_even_when_allowed(built: Path, store: str, tmp_path: Path) -> None:
    log = tmp_path / "access.log"
    with serving(built, "--allow-service", store, "--access-log", str(log)) as server:
        allowed = server.query(f"SELECT ?x {{ SERVICE <{store}> {{ ?s ?p ?x }} }}")
        assert allowed.status == 502
        assert "service/" not in allowed.text, "the address of the forwarder stays secret"
        assert server.query(f"SELECT ?x {{ SERVICE <{store}other> {{ ?s ?p ?x }} }}").status == 403
        assert server.query("SELECT ?x { VALUES ?e { <http://a/> } SERVICE ?e { ?s ?p ?x } }").status == 403
        assert server.ask("-/service/guess/0", "POST", "query=ASK").status == 404
    assert Store.asked == 0
    paths = [json.loads(line)["path"] for line in log.read_text().splitlines()]
    assert "/sparql" in paths
    assert {path for path in paths if "service" in path} == {"/-/service/"}, "and is not in the log either"


def test_what_is_allowed_and_public_is_asked(store: str) -> None:
    services = Services((store,), "http://here/", Limits(seconds=5), public=lambda _: True)
    status, media, data = services.fetch(store, "POST", b"query=ASK", {})
    assert (status, media) == (200, "application/sparql-results+json")
    assert b"found" in data
    with pytest.raises(NotAllowedError):
        services.fetch(f"{store}away", "POST", b"query=ASK", {})
    assert Store.asked == 2


def test_every_service_of_a_query_is_looked_at() -> None:
    services = Services(("http://a/",), "http://here/", Limits())
    nested = "SELECT * { SERVICE <http://a/> { OPTIONAL { SERVICE SILENT # <http://a/>\n <http://b/> { ?s ?p ?o } } } }"
    for query in (nested, "SELECT * { SERVICE a:b { ?s ?p ?o } }", "SELECT * { SERVICE <http://a/x> {} }"):
        with pytest.raises(NotAllowedError):
            services.rewrite(query)
    assert services.rewrite("ASK { ?s ?p 'SERVICE <http://b/>' }") == "ASK { ?s ?p 'SERVICE <http://b/>' }"
