"""The web application: which part answers a request, and what every answer carries."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import traceback
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response

from kgbuild.diagnostics import KgbuildError
from kgbuild.project import Project
from kgbuild.server import api, graphs, pages, watching
from kgbuild.server.cache import Cache
from kgbuild.server.connections import (
    CYCLE,
    FRAMING,
    KEY,
    LEFT,
    QUERIES,
    STARTED,
    Asked,
    Memory,
    Ready,
    deliver,
    head_of,
)
from kgbuild.server.jobs import Job, Reply
from kgbuild.server.negotiation import Syntax
from kgbuild.server.ondemand import OnDemand
from kgbuild.server.operations import AccessLog, Metrics
from kgbuild.server.plain import Plans
from kgbuild.server.pool import GoneError, Pool
from kgbuild.server.remote import Remote
from kgbuild.server.replies import Whole, answer, problem
from kgbuild.server.resources import Resources
from kgbuild.server.services import Services
from kgbuild.server.settings import MEGABYTE, Settings
from kgbuild.server.snapshots import Snapshot, current_mark
from kgbuild.server.sparql import HEADERS, METHODS, Endpoint, RefusedError, refused
from kgbuild.server.turns import Turns

if TYPE_CHECKING:
    from starlette.types import Message, Receive, Scope, Send

POLICY: Final = (
    "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; style-src 'self'; img-src 'self' data:; "
    "font-src 'self'; connect-src 'self'; worker-src 'self' blob:; base-uri 'none'; form-action 'self'; "
    "frame-ancestors 'none'; require-trusted-types-for 'script'"
)
EVERY: Final = [
    (b"access-control-allow-origin", b"*"),
    (b"access-control-expose-headers", b"ETag, Link, Location, Content-Location, Retry-After, Kgbuild-Limit"),
    (b"content-security-policy", POLICY.encode()),
    (b"cross-origin-resource-policy", b"cross-origin"),
    (b"permissions-policy", b"camera=(), geolocation=(), microphone=()"),
    (b"referrer-policy", b"no-referrer"),
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
]
LOOK: Final = 0.5
"""Seconds between two looks for a new build."""


_FORWARDED: Final = "-/service/"
"""Where the workers' queries to other stores pass, each with a token."""
_SMALL: Final = 256 << 10
"""Bytes of an answer that is kept ready to send."""
_EVERY_HEAD: Final = head_of(EVERY)


@dataclass(slots=True)
class Outcome:
    """What became of a request: as long as nothing else is known, its client has gone."""

    status: int = LEFT
    size: int = 0


@dataclass(slots=True)
class Serving:
    """One build with everything that answers from it."""

    snapshot: Snapshot
    pool: Pool
    endpoint: Endpoint
    resources: Resources
    ondemand: OnDemand
    users: int = 0
    retired: bool = False

    closing: asyncio.Task[None] | None = None

    def leave(self) -> None:
        """Note that a request has ended; the last of a retired build closes it."""
        self.users -= 1
        self._end()

    def retire(self) -> None:
        """Close the build when its last request has ended."""
        self.retired = True
        self._end()

    def _end(self) -> None:
        if self.retired and not self.users:
            self.closing = asyncio.get_running_loop().create_task(self.close())

    async def close(self) -> None:
        """End the workers and let the folder go."""
        try:
            await self.pool.close()
        finally:
            self.snapshot.close()


def new_turns(settings: Settings) -> Turns:
    """Return the places to run that a server has."""
    return Turns(settings.workers, settings.workers, settings.limits.queue)


class Application:
    """An ASGI application over the builds of a project, one after the other."""

    def __init__(self, project: Project, settings: Settings, build: Path, remote: Remote | None = None) -> None:
        self.project, self.settings, self.build, self.remote = project, settings, build, remote
        self.prefix = urlsplit(settings.base_url).path or "/"
        self.turns = remote.turns if remote else new_turns(settings)
        self.files: Cache[bytes] = Cache(64 * MEGABYTE)
        self.answers: Cache[Reply] = Cache(64 * MEGABYTE)
        self.plans = Plans(f"{self.prefix}{QUERIES}", settings.limits.url)
        self.memory = Memory(Cache(64 * MEGABYTE), self.note, self.shortly, apart=bool(settings.trusted))
        self.metrics = Metrics(self)
        self.log = AccessLog(settings.access_log)
        self.current: Serving | None = None
        self.services = None
        if settings.services:
            self.services = Services(settings.services, f"{self.local}{self.prefix[1:]}-/service/", settings.limits)
        self.watch = watching.Watch(project) if settings.watch else None
        self.tasks: list[asyncio.Task[None]] = []
        self.swapping = asyncio.Lock()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request, or follow the life of the server."""
        if scope["type"] == "lifespan":
            await self._live(receive, send)
        elif scope["type"] == "http":
            await self._http(scope, receive, send)

    # Life

    async def _live(self, receive: Receive, send: Send) -> None:
        await receive()
        try:
            await self.start()
        except KgbuildError as error:
            await send({"type": "lifespan.startup.failed", "message": str(error)})
            return
        gc.freeze()
        await send({"type": "lifespan.startup.complete"})
        await receive()
        await self.stop()
        await send({"type": "lifespan.shutdown.complete"})

    async def start(self) -> None:
        """Open the build that is there, and look for new ones from then on."""
        self.current = await self._open()
        self.tasks.append(asyncio.get_running_loop().create_task(self._look()))
        if self.watch is not None:
            self.tasks.append(asyncio.get_running_loop().create_task(self.watch.run()))

    async def stop(self) -> None:
        """End everything."""
        for task in self.tasks:
            task.cancel()
        if self.current is not None:
            await self.current.close()
            self.current = None
        self.log.close()

    async def _open(self) -> Serving:
        snapshot = await asyncio.to_thread(Snapshot.open, self.project, self.build)
        pool = Pool(snapshot.folder, self.settings.limits, self.project, self.turns, self.services)
        local = self.remote is None
        ask = partial(self._ask, pool)
        endpoint = Endpoint(ask, snapshot.digest, self.answers, self.settings.limits.body, lasting=local)
        resources = Resources(snapshot, self.prefix, self.files)
        serving = Serving(
            snapshot=snapshot,
            pool=pool,
            endpoint=endpoint,
            resources=resources,
            ondemand=OnDemand(snapshot, endpoint, resources),
        )
        try:
            if local:
                await pool.start(self.settings.workers)
        except BaseException:
            await serving.close()
            raise
        return serving

    async def _look(self) -> None:
        while True:
            await asyncio.sleep(LOOK)
            mark = current_mark(self.build)
            if self.current is None or mark is None or mark == self.current.snapshot.mark:
                continue
            with contextlib.suppress(KgbuildError, GoneError, OSError):
                await self._swap()

    async def _swap(self) -> None:
        """Serve the build that is on the disk now; requests that have begun end on the one before."""
        async with self.swapping:
            old = self.current
            if old is not None and current_mark(self.build) == old.snapshot.mark:
                return
            self.current = await self._open()
            self.memory.kept.clear()
            self.metrics.swaps += 1
            if self.watch is not None:
                await self.watch.tell()
            if old is not None:
                old.retire()

    async def _ask(self, pool: Pool, job: Job, client: str) -> Reply:
        """Ask the workers of one build, or the remote store; raise `GoneError` where the build went away meanwhile."""
        asked = self.remote if self.remote and not job.task else pool
        reply = await asked.ask(job, client)
        self.metrics.queries[reply.status] += 1
        return reply

    # Requests

    async def _http(self, scope: Scope, receive: Receive, send: Send) -> None:
        started = scope.get(STARTED) or perf_counter()
        path, outcome = self._path(scope["path"]), Outcome()
        try:
            with contextlib.suppress(ClientDisconnect):
                await self._made(scope, receive, send, path, outcome)
        finally:
            client = scope["client"][0] if scope["client"] else ""
            self.note(client, scope["method"], path, outcome.status, outcome.size, perf_counter() - started)

    def note(self, client: str, method: str, path: str, status: int, size: int, seconds: float) -> None:
        """Count a request, and write it to the log; a path with a secret is not written whole."""
        self.metrics.note(_route(path), status, seconds)
        if self.log.stream is not None:
            path = _FORWARDED if path.startswith(_FORWARDED) else path
            self.log.write(client, method, path, status, size, seconds)

    async def _made(self, scope: Scope, receive: Receive, send: Send, path: str, outcome: Outcome) -> None:
        """Make an answer and send it."""
        request = Request(scope, receive)
        for again in (True, True, False):
            serving = self.current
            if serving is not None:
                serving.users += 1
            try:
                response = await self._guarded(request, path, serving, again=again)
                if response is not None:
                    await self._send(scope, receive, send, path, response, serving, outcome)
                    return
            finally:
                if serving is not None:
                    serving.leave()

    async def _send(
        self,
        scope: Scope,
        receive: Receive,
        send: Send,
        path: str,
        response: Response,
        serving: Serving | None,
        outcome: Outcome,
    ) -> None:
        """Send an answer: whole where it is, else part by part."""
        cycle = scope.pop(CYCLE, None)
        body = getattr(response, "body", None)
        if isinstance(body, bytes) and cycle is not None:
            head = _head(response)
            if serving is self.current:
                self._keep(scope, path, response, head, body)
            if scope["method"] == "HEAD":
                body = b""
            outcome.status, outcome.size = response.status_code, len(body)
            await deliver(cycle, response.status_code, head, body)
            return

        async def sending(message: Message) -> None:
            if message["type"] == "http.response.start":
                outcome.status = message["status"]
                message["headers"] = [*message.get("headers", ()), *EVERY]
            else:
                outcome.size += len(message.get("body", b""))
            await send(message)

        await response(scope, receive, sending)

    def _keep(self, scope: Scope, path: str, response: Response, head: bytes, body: bytes) -> None:
        """Keep an answer that has a validator ready to send when the same request comes again."""
        key: tuple[str, bytes] | None = scope.get(KEY)
        if key is None or scope["method"] != "GET" or scope["http_version"] != "1.1" or self.watch is not None:
            return
        if response.status_code != 200 or len(body) > _SMALL or not getattr(response, "tagged", False):
            return
        if not any(name in FRAMING for name, _ in scope["headers"]):
            client = scope["client"][0] if scope["client"] else ""
            self.memory.keep(key, Ready(head, body, path, client))

    def _path(self, path: str) -> str:
        """Return a path below the base address."""
        return path.removeprefix(self.prefix) if path.startswith(self.prefix) else path.lstrip("/")

    async def _guarded(self, request: Request, path: str, serving: Serving | None, *, again: bool) -> Response | None:
        """Answer whatever happens; None, where `again` allows it, asks to try with the build that came meanwhile."""
        try:
            if request.method == "OPTIONS":
                return _options(path)
            if serving is None:
                raise RefusedError(503, "the server is starting or stopping", {"Retry-After": "2"})
            response = await self._respond(request, path, serving)
            if self.watch is not None:
                response = watching.enliven(response, self.prefix, serving.snapshot.digest)
            return response
        except RefusedError as error:
            return refused(request, error)
        except ClientDisconnect:
            raise
        except (FileNotFoundError, GoneError):
            if again:
                await self.replace()
                return None
            return refused(request, RefusedError(503, "the graph is being replaced", {"Retry-After": "2"}))
        except Exception:  # noqa: BLE001  # the last gate: any fault of ours is one answer, and the server goes on
            traceback.print_exc()
            return problem(request, 500, "this is a fault of kgbuild; its server has noted it")

    async def replace(self) -> None:
        """Take the next build at once, where the one in service has gone from the disk."""
        swapping = asyncio.get_running_loop().create_task(self._swap())
        self.tasks.append(swapping)
        try:
            await asyncio.shield(swapping)
        except (KgbuildError, GoneError, OSError):
            await asyncio.sleep(LOOK)
        finally:
            self.tasks.remove(swapping)

    async def _respond(self, request: Request, path: str, serving: Serving) -> Response:
        if self.services is not None and path.startswith(_FORWARDED):
            return await self.services.respond(request, path)
        if path == QUERIES:
            return await self._sparql(request, serving)
        if request.method not in {"GET", "HEAD"}:
            raise RefusedError(405, "this server is read-only", {"Allow": "GET, HEAD, OPTIONS"})
        if path.startswith("-/"):
            return await self._operations(request, path)
        if path == "graph-store" or path.startswith("graph/"):
            return await graphs.respond(request, path, serving.endpoint, self.project)
        if path.startswith("api/") or path == "api":
            return await api.respond(request, path, serving.snapshot, serving.endpoint, self.address)
        found = await serving.ondemand.listed(request, path) or serving.resources.respond(request, path)
        if found is None:
            found = await serving.ondemand.respond(request, path)
        if found is None:
            found = await graphs.describe(request, path, serving.endpoint, self.project)
        if found is None:
            raise RefusedError(404, "there is nothing at this address")
        return found

    async def _sparql(self, request: Request, serving: Serving) -> Response:
        if request.method not in METHODS.split(", "):
            raise RefusedError(405, "queries are asked with GET or POST", {"Allow": METHODS})
        if request.method in {"GET", "HEAD"} and not request.scope["query_string"]:
            return pages.endpoint(request, f"{self.address}sparql", serving.snapshot)
        return await serving.endpoint.respond(request, partial(self._learn, request.scope))

    def _learn(self, scope: Scope, table: Syntax | None, graph: Syntax | None) -> None:
        """Keep what the headers of a query say, where workers answer, and a client is known by its address."""
        key: tuple[str, bytes] | None = scope.get(KEY)
        if key is not None and not (self.watch or self.remote or self.memory.apart):
            self.plans.learn(scope, key[1], table, graph)

    def shortly(self, key: tuple[str, bytes], client: str) -> Asked | None:
        """Return what asks for the answer to a query whose headers are known, or None."""
        found = self.plans.find(key[1])
        return None if found is None else self._shortly(key, client, *found)

    async def _shortly(
        self, key: tuple[str, bytes], client: str, request: Request, job: Job
    ) -> tuple[Ready | None, object]:
        serving = self.current
        if serving is None:
            return None, None
        serving.users += 1
        try:
            found = reply, tag, again = await serving.endpoint.find(job, client)
        except GoneError:
            return None, None
        finally:
            serving.leave()
        if reply.status != "ok" or not tag or len(reply.body) > _SMALL:
            return None, found
        told = answer(request, reply.body, reply.media, tag, HEADERS)
        ready = Ready(_head(told), bytes(told.body), QUERIES, client)
        if again and serving is self.current:
            self.memory.keep(key, ready)
        return ready, None

    async def _operations(self, request: Request, path: str) -> Response:
        if path == "-/health":
            return Response("ok\n", media_type="text/plain", headers={"Cache-Control": "no-store"})
        if path == "-/ready":
            pool = self.current.pool if self.current else None
            ready = pool is not None and bool(self.remote or pool.workers)
            return Response(
                "ready\n" if ready else "not ready\n",
                200 if ready else 503,
                {"Cache-Control": "no-store"},
                "text/plain",
            )
        if path == "-/metrics":
            return self.metrics.respond()
        if self.watch is not None and (found := watching.respond(request, path, self.watch, self._digest)) is not None:
            return found
        raise RefusedError(404, "there is nothing at this address")

    def _digest(self) -> str:
        return self.current.snapshot.digest if self.current else ""

    @property
    def address(self) -> str:
        """Return the address at which clients find the server."""
        return self.settings.base_url or self.local

    @property
    def local(self) -> str:
        """Return the address at which the server listens."""
        return f"http://{_shown(self.settings.host)}:{self.settings.port}/"


def _shown(host: str) -> str:
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104  # not bound here, only shown
    return f"[{host}]" if ":" in host else host


def _head(response: Response) -> bytes:
    head = response.head if isinstance(response, Whole) else head_of(response.raw_headers)
    return head + _EVERY_HEAD


def _options(path: str) -> Response:
    methods = METHODS if path == "sparql" else "GET, HEAD, OPTIONS"
    headers = {
        "Allow": methods,
        "Access-Control-Allow-Methods": methods,
        "Access-Control-Allow-Headers": "Accept, Content-Type, If-None-Match, Range",
        "Access-Control-Max-Age": "86400",
    }
    return Response(status_code=204, headers=headers)


_ROUTES: Final = {
    "sparql",
    "graph-store",
    "graph",
    "api",
    "-",
    "id",
    "claim",
    "article",
    "dataset",
    "np",
    "data",
    "query",
}


def _route(path: str) -> str:
    first = path.partition("/")[0]
    return first if first in _ROUTES else "page"
