"""What operators see: metrics for Prometheus, and the access log, one JSON object a line."""

from __future__ import annotations

import json
import sys
from bisect import bisect_left
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import accumulate
from typing import TYPE_CHECKING, Final, TextIO

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector
from starlette.responses import Response

from kgbuild.diagnostics import UnreadableError

if TYPE_CHECKING:
    from kgbuild.server.application import Application

_METHODS = frozenset(("GET", "HEAD", "POST", "OPTIONS", "PUT", "PATCH", "DELETE"))
_BOUNDS: Final = (0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
"""Seconds up to which requests are counted apart."""


class Metrics(Collector):
    """Counts of requests and queries, and the state of queue and workers when asked."""

    def __init__(self, application: Application) -> None:
        self.application = application
        self.registry = CollectorRegistry(auto_describe=False)
        self.registry.register(self)
        self.requests: Counter[tuple[str, int]] = Counter()
        self.queries: Counter[str] = Counter()
        self.seconds: dict[str, list[int]] = {}
        self.sums: dict[str, float] = {}
        self.swaps = 0

    def note(self, route: str, status: int, seconds: float) -> None:
        """Count a request."""
        self.requests[route, status] += 1
        if route not in self.seconds:
            self.seconds[route], self.sums[route] = [0] * (len(_BOUNDS) + 1), 0.0
        self.seconds[route][bisect_left(_BOUNDS, seconds)] += 1
        self.sums[route] += seconds

    def collect(self) -> Iterator[Metric]:
        """Yield what is known now."""
        requests = CounterMetricFamily("kgbuild_requests", "requests", labels=["route", "status"])
        for (route, status), count in self.requests.items():
            requests.add_metric([route, str(status)], count)
        seconds = HistogramMetricFamily("kgbuild_request_seconds", "time to answer", labels=["route"])
        for route, counts in self.seconds.items():
            bounds = [*map(str, _BOUNDS), "+Inf"]
            buckets = list(zip(bounds, accumulate(counts), strict=True))
            seconds.add_metric([route], buckets, self.sums[route])
        queries = CounterMetricFamily("kgbuild_queries", "queries by what became of them", labels=["outcome"])
        for outcome, count in self.queries.items():
            queries.add_metric([outcome], count)
        yield from (requests, seconds, queries)
        yield CounterMetricFamily("kgbuild_builds", "new builds taken into service", value=self.swaps)
        turns, answers = self.application.turns, self.application.answers
        yield GaugeMetricFamily("kgbuild_queue_depth", "queries that wait", value=turns.depth)
        yield GaugeMetricFamily("kgbuild_running", "queries that run", value=sum(turns.held.values()))
        yield GaugeMetricFamily("kgbuild_cache_bytes", "answers in the cache", value=answers.size)

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

    def write(self, client: str, method: str, path: str, status: int, size: int, seconds: float) -> None:
        """Write the line of a request."""
        if self.stream is None:
            return
        line = {
            "time": datetime.now(UTC).isoformat(timespec="milliseconds"),
            "client": client,
            "method": method if method in _METHODS else "?",
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
