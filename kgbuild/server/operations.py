"""What operators see: metrics for Prometheus, and the access log, one JSON object a line."""

from __future__ import annotations

import json
import sys
from datetime import UTC, datetime
from typing import TYPE_CHECKING, TextIO

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from starlette.responses import Response

from kgbuild.diagnostics import UnreadableError

if TYPE_CHECKING:
    from starlette.types import Scope

    from kgbuild.server.application import Application

_METHODS = frozenset(("GET", "HEAD", "POST", "OPTIONS", "PUT", "PATCH", "DELETE"))


class Metrics:
    """Counts of requests and queries, and the state of queue and workers when asked."""

    def __init__(self, application: Application) -> None:
        self.registry = registry = CollectorRegistry()
        self.requests = Counter("kgbuild_requests", "requests", ["route", "status"], registry=registry)
        self.seconds = Histogram("kgbuild_request_seconds", "time to answer", ["route"], registry=registry)
        self.queries = Counter("kgbuild_queries", "queries by what became of them", ["outcome"], registry=registry)
        self.swaps = Counter("kgbuild_builds", "new builds taken into service", registry=registry)
        self.children: dict[tuple[str, int], tuple[Counter, Histogram]] = {}
        for name, words, value in (
            ("kgbuild_queue_depth", "queries that wait", lambda: application.turns.depth),
            ("kgbuild_running", "queries that run", lambda: sum(application.turns.held.values())),
            ("kgbuild_cache_bytes", "answers in the cache", lambda: application.answers.size),
        ):
            Gauge(name, words, registry=registry).set_function(value)

    def note(self, route: str, status: int, seconds: float) -> None:
        """Count a request."""
        key = (route, status)
        if key not in self.children:
            self.children[key] = (self.requests.labels(route, str(status)), self.seconds.labels(route))
        requests, durations = self.children[key]
        requests.inc()
        durations.observe(seconds)

    def respond(self) -> Response:
        """Answer with all metrics."""
        media = "text/plain; version=0.0.4; charset=utf-8"
        return Response(generate_latest(self.registry), headers={"Content-Type": media, "Cache-Control": "no-store"})


class AccessLog:
    """Writes a line for each request to a file, to standard error (`-`), or nowhere; never the text of a query."""

    def __init__(self, path: str) -> None:
        self.stream: TextIO | None = None
        if path == "-":
            self.stream = sys.stderr
        elif path:
            try:
                self.stream = open(path, "a", encoding="utf-8", buffering=1)  # noqa: SIM115  # open as long as the server
            except OSError as error:
                raise UnreadableError(f"cannot write {path}: {error.strerror or error}") from error

    def write(self, scope: Scope, path: str, status: int, size: int, seconds: float) -> None:
        """Write the line of a request."""
        if self.stream is None:
            return
        line = {
            "time": datetime.now(UTC).isoformat(timespec="milliseconds"),
            "client": scope["client"][0] if scope["client"] else "",
            "method": scope["method"] if scope["method"] in _METHODS else "?",
            "path": f"/{path}"[:500],
            "status": status,
            "bytes": size,
            "ms": round(seconds * 1000, 1),
        }
        self.stream.write(json.dumps(line) + "\n")

    def close(self) -> None:
        """Close the file."""
        if self.stream is not None and self.stream is not sys.stderr:
            self.stream.close()
