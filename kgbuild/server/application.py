"""The web application: which part answers a request, and what every answer carries."""

from __future__ import annotations

import asyncio
import contextlib
import traceback
from collections.abc import Awaitable
from dataclasses import dataclass
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
from kgbuild.server.jobs import Job, Reply
from kgbuild.server.ondemand import OnDemand
from kgbuild.server.operations import AccessLog, Metrics
from kgbuild.server.pool import GoneError, Pool
from kgbuild.server.remote import Remote
from kgbuild.server.replies import problem
from kgbuild.server.resources import Resources
from kgbuild.server.services import Services
from kgbuild.server.settings import MEGABYTE, Settings
from kgbuild.server.snapshots import Snapshot, current_mark
from kgbuild.server.sparql import METHODS, Endpoint, Kept, RefusedError, refused
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
PATIENT: Final = 0.2
"""Seconds after which the server looks whether the client still waits."""
LOOK: Final = 0.5
"""Seconds between two looks for a new build."""


_SMALL: Final = 256 << 10
"""Bytes of an answer that is kept ready to send."""
_VARYING: Final = {b"accept": 1, b"accept-encoding": 2}
_NOT_READY: Final = frozenset((b"if-none-match", b"range", b"if-range"))


@dataclass(frozen=True, slots=True)
class Ready:
    """An answer as it goes over the wire."""

    start: Message
    body: Message
    size: int

    def __len__(self) -> int:
        return self.size + 2000


@dataclass(slots=True)
class Serving:
    """One build with everything that answers from it."""

    snapshot: Snapshot
    pool: Pool
    endpoint: Endpoint
    resources: Resources
    ondemand: OnDemand
    records: api.Records
    users: int = 0
    retired: bool = False

    async def leave(self) -> None:
        """Note that a request has ended; the last of a retired build closes it."""
        self.users -= 1
        if self.retired and not self.users:
            await self.close()

    async def retire(self) -> None:
        """Close the build when its last request has ended."""
        self.retired = True
        if not self.users:
            await self.close()

    async def close(self) -> None:
        """End the workers and let the folder go."""
        await self.pool.close()
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
        self.answers: Cache[Kept] = Cache(64 * MEGABYTE)
        self.ready: Cache[Ready] = Cache(64 * MEGABYTE)
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
        pool = Pool(snapshot.folder, self.settings.limits, self.project.prefixes, self.turns, self.services)
        if self.remote is None:
            await pool.start(self.settings.workers)
        endpoint = Endpoint(self._ask, snapshot.digest, self.answers, self.settings.limits.body)
        resources = Resources(snapshot, self.prefix, self.files)
        return Serving(
            snapshot=snapshot,
            pool=pool,
            endpoint=endpoint,
            resources=resources,
            ondemand=OnDemand(snapshot, endpoint, resources),
            records=api.Records(snapshot),
        )

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
            self.metrics.swaps.inc()
            if self.watch is not None:
                await self.watch.tell()
            if old is not None:
                await old.retire()

    async def _ask(self, job: Job, client: str) -> Reply:
        """Ask the workers of the build that is served; a build that went away meanwhile is replaced first."""
        for _ in range(3):
            serving = self.current
            if serving is None:
                break
            serving.users += 1
            try:
                reply = await (self.remote or serving.pool).ask(job, client)
                self.metrics.queries.labels(reply.status).inc()
                return reply
            except GoneError:
                if serving is self.current:
                    await self._replace()
            finally:
                await serving.leave()
        return Reply("busy", message="the graph is being replaced; try again in a moment")

    # Requests

    async def _http(self, scope: Scope, receive: Receive, send: Send) -> None:
        started = perf_counter()
        path = self._path(scope["path"])
        key = self._key(scope)
        ready = self.ready.get(key) if key else None
        if ready is not None:
            await send(ready.start)
            await send(ready.body)
            status, size = 200, ready.size
        else:
            status, size = await self._made(scope, receive, send, path, key)
        seconds = perf_counter() - started
        self.metrics.note(_route(path), status, seconds)
        self.log.write(scope, path, status, size, seconds)

    async def _made(
        self, scope: Scope, receive: Receive, send: Send, path: str, key: tuple[object, ...] | None
    ) -> tuple[int, int]:
        """Make an answer and send it; return its status and size, 499 where the client has gone."""
        status, size = 499, 0

        async def sending(message: Message) -> None:
            nonlocal status, size
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"] = [*message.get("headers", ()), *EVERY]
            else:
                size += len(message.get("body", b""))
            await send(message)

        with contextlib.suppress(ClientDisconnect):
            request = Request(scope, receive)
            for again in (True, True, False):
                serving = self.current
                if serving is not None:
                    serving.users += 1
                try:
                    response = await self._guarded(request, path, serving, again=again)
                    if response is None:
                        continue
                    if key is not None:
                        self._keep(key, response)
                    await response(scope, receive, sending)
                    break
                finally:
                    if serving is not None:
                        await serving.leave()
        return status, size

    def _key(self, scope: Scope) -> tuple[object, ...] | None:
        """Return what the answer to a request depends on, or None where it cannot be kept ready."""
        if scope["method"] != "GET" or self.current is None or self.watch is not None:
            return None
        found = [scope["path"], scope["query_string"], None, None, self.current.snapshot.digest]
        for name, value in scope["headers"]:
            if name in _VARYING:
                if found[1 + _VARYING[name]] is not None:
                    return None
                found[1 + _VARYING[name]] = value
            elif name in _NOT_READY:
                return None
        return tuple(found)

    def _keep(self, key: tuple[object, ...], response: Response) -> None:
        """Keep a whole answer that has a validator ready to send."""
        body = getattr(response, "body", None)
        if response.status_code != 200 or "etag" not in response.headers or not isinstance(body, bytes):
            return
        if 0 < len(body) <= _SMALL:
            headers = [*response.raw_headers, *EVERY]
            start = {"type": "http.response.start", "status": 200, "headers": headers}
            self.ready.put(key, Ready(start, {"type": "http.response.body", "body": body}, len(body)))

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
            response = await until_gone(request, self._respond(request, path, serving))
            if self.watch is not None:
                response = watching.enliven(request, response, self.prefix, serving.snapshot.digest)
            return response
        except RefusedError as error:
            return refused(request, error)
        except ClientDisconnect:
            raise
        except FileNotFoundError:
            if again:
                await self._replace()
                return None
            return refused(request, RefusedError(503, "the graph is being replaced", {"Retry-After": "2"}))
        except Exception:  # noqa: BLE001  # the last gate: any fault of ours is one answer, and the server goes on
            traceback.print_exc()
            return problem(request, 500, "this is a fault of kgbuild; its server has noted it")

    async def _replace(self) -> None:
        """Take the next build at once, where the one in service has gone from the disk."""
        try:
            await self._swap()
        except (KgbuildError, GoneError, OSError):
            await asyncio.sleep(LOOK)

    async def _respond(self, request: Request, path: str, serving: Serving) -> Response:
        if self.services is not None and path.startswith("-/service/"):
            return await self.services.respond(request, path)
        if path == "sparql":
            return await self._sparql(request, serving)
        if request.method not in {"GET", "HEAD"}:
            raise RefusedError(405, "this server is read-only", {"Allow": "GET, HEAD, OPTIONS"})
        if path.startswith("-/"):
            return await self._operations(request, path)
        if path == "graph-store" or path.startswith("graph/"):
            return await graphs.respond(request, path, serving.endpoint, self.project)
        if path.startswith("api/") or path == "api":
            return await api.respond(request, path, serving.snapshot, serving.endpoint, serving.records, self.address)
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
        if request.method in {"GET", "HEAD"} and not request.url.query:
            return pages.endpoint(request, f"{self.address}sparql", serving.snapshot)
        return await serving.endpoint.respond(request)

    async def _operations(self, request: Request, path: str) -> Response:
        if path == "-/health":
            return Response("ok\n", media_type="text/plain", headers={"Cache-Control": "no-store"})
        if path == "-/ready":
            pool = self.current.pool if self.current else None
            ready = pool is not None and bool(self.remote or pool.idle or pool.busy)
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


async def until_gone(request: Request, work: Awaitable[Response]) -> Response:
    """Do a request's work, but stop when its client goes away."""
    task = asyncio.ensure_future(work)
    gone = None
    try:
        await asyncio.wait({task}, timeout=PATIENT)
        if task.done():
            return task.result()
        gone = asyncio.ensure_future(_gone(request))
        await asyncio.wait({task, gone}, return_when=asyncio.FIRST_COMPLETED)
        if not task.done():
            raise ClientDisconnect
        return task.result()
    finally:
        task.cancel()
        if gone is not None:
            gone.cancel()


async def _gone(request: Request) -> None:
    """Return when the client has gone; a body that is still being read tells that itself."""
    if request.method == "POST":
        while not getattr(request, "_stream_consumed", False):
            await asyncio.sleep(0.05)
    while (await request.receive())["type"] != "http.disconnect":
        pass


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
