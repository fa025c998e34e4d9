"""One connection: what a client sends is bounded in size and time, and so is the time it takes to read an answer.

A request that comes again, byte for byte, is answered with what was kept under its bytes, and is not read at all. One
that can be answered `shortly` is not read as a whole either.
"""

from __future__ import annotations

import asyncio
import traceback
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass
from functools import lru_cache
from http import HTTPStatus
from time import perf_counter
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol, RequestResponseCycle

from kgbuild.server.cache import Cache
from kgbuild.server.settings import Limits

if TYPE_CHECKING:
    from uvicorn._types import ASGI3Application

CYCLE: Final = "kgbuild.cycle"
"""Where the scope of a request holds the exchange it belongs to."""
KEY: Final = "kgbuild.key"
"""Where the scope of a request holds what its answer may be kept under, if its bytes came at once and alone."""
FOUND: Final = "kgbuild.found"
"""Where the scope of a request holds what was found before it was read."""
STARTED: Final = "kgbuild.started"
"""Where the scope of a request holds when work on it started, or 0 where that was when it was read."""
QUERIES: Final = "sparql"
"""The path of queries, which alone are answered shortly."""
LEFT: Final = 499
"""The status that is noted of a request whose client has gone before the answer."""
FRAMING: Final = frozenset((b"connection", b"content-length", b"expect", b"transfer-encoding", b"upgrade"))
"""Headers of requests that are read each time."""
Asked = Coroutine[Any, Any, tuple["Ready | None", object]]
"""What asks for an answer: gives one that is ready to send, and what was found, where it is to be told otherwise."""


class _TooLongError(Exception):
    """A request whose address or headers are longer than allowed."""


class Ready(NamedTuple):
    """A whole answer (200), and what is noted when it is sent."""

    head: bytes
    body: bytes
    path: str
    client: str


@dataclass(frozen=True, slots=True)
class Memory:
    """Answers by the bytes of their request; behind a proxy (`apart`) also by the address these came from."""

    kept: Cache[Ready]
    note: Callable[[str, str, str, int, int, float], None]
    shortly: Callable[[tuple[str, bytes], str], Asked | None]
    """Gives what asks for the answer to a request, if that can be had without reading it whole."""
    apart: bool = False

    def key(self, request: bytes, client: tuple[str, int] | None) -> tuple[str, bytes]:
        """Return what the answer to a request is kept under."""
        return (client[0] if self.apart and client else "", request)

    def keep(self, key: tuple[str, bytes], ready: Ready) -> None:
        """Keep an answer ready to send when the same request comes again."""
        self.kept.put(key, ready, len(key[1]) + len(ready.head) + len(ready.body) + 500)


class EagerTask:
    """A coroutine that runs at once as far as it goes, and on as soon as the future it waits for is done.

    It takes fewer turns of the loop than a task; but nothing in it may ask for the task it runs in, as timeouts do.
    """

    def __init__(self, coroutine: Coroutine[Any, Any, None]) -> None:
        self.coroutine = coroutine
        self.waits_for: asyncio.Future[Any] | None = None
        self.must_cancel = False

    def step(self, _: object = None) -> None:
        """Run as far as it goes."""
        self.waits_for = None
        try:
            if self.must_cancel:
                self.must_cancel = False
                future = self.coroutine.throw(asyncio.CancelledError())
            else:
                future = self.coroutine.send(None)
        except (StopIteration, asyncio.CancelledError):
            return
        future._asyncio_future_blocking = False  # so a task tells a future that it waits for it
        future.add_done_callback(self.step)
        self.waits_for = future

    def cancel(self) -> None:
        """Cancel what it waits for, or, where that is just done, the next step."""
        if self.waits_for is None or not self.waits_for.cancel():
            self.must_cancel = True


def head_of(headers: Sequence[tuple[bytes, bytes]]) -> bytes:
    """Spell the headers of an answer; raise `ValueError` where one would begin a line of its own.

    >>> head_of([(b"etag", b'"1"')])
    b'etag: "1"\\r\\n'
    """
    head = b"".join([b"%b: %b\r\n" % header for header in headers])
    if head.count(b"\n") != len(headers) or head.count(b"\r") != len(headers):
        raise ValueError("a header may hold no line break")
    return head


@lru_cache(maxsize=1)
def _first(*headers: tuple[bytes, bytes]) -> bytes:
    """Spell the headers that all answers of a second begin with."""
    return head_of(headers)


async def deliver(cycle: RequestResponseCycle, status: int, head: bytes, body: bytes) -> None:
    """Send a whole answer at once."""
    if cycle.flow.write_paused and not cycle.disconnected:
        await cycle.flow.drain()
    if cycle.disconnected:
        return
    closes = b"\r\nconnection: close\r\n" in head
    cycle.response_started = cycle.response_complete = True
    cycle.message_event.set()
    closing = b"" if cycle.keep_alive or closes else b"connection: close\r\n"
    first = _first(*cycle.default_headers)
    cycle.transport.write(b"".join((STATUS_LINE[status], first, head, closing, b"\r\n", body)))
    if closes:
        cycle.transport.get_protocol().linger()  # type: ignore[attr-defined]  # a connection of ours
    elif not cycle.keep_alive:
        cycle.transport.close()
    cycle.on_response()


def protocol(limits: Limits, memory: Memory) -> type[HttpToolsProtocol]:
    """Return the protocol of connections within limits."""

    class Connection(HttpToolsProtocol):
        """A connection that is cut off when its client is too slow or sends too much."""

        sent = 0
        refusal = HTTPStatus.BAD_REQUEST
        begun = 0
        reading = False
        waiting: asyncio.TimerHandle | None = None
        writing: asyncio.TimerHandle | None = None
        working: asyncio.Task[None] | EagerTask | None = None
        asking = ending = deaf = False
        held = b""

        def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
            super().connection_made(transport)
            self._expect()

        def connection_lost(self, exc: Exception | None) -> None:
            for timer in (self.waiting, self.writing):
                if timer is not None:
                    timer.cancel()
            super().connection_lost(exc)
            if self.working is not None:
                self.working.cancel()

        def linger(self) -> None:
            """Say no more and read no more; the client has time to take the answer, which it loses by a close now."""
            self.deaf = True
            self.transport.write_eof()

        def data_received(self, data: bytes) -> None:
            if self.deaf:
                return
            if self.asking:
                self.held += data
                self.flow.pause_reading()
                return
            key = memory.key(data, self.client)
            if self._is_free() and not self.flow.write_paused and not self.transport.is_closing():
                ready = memory.kept.get(key)
                if ready is not None:
                    self._answer(ready, perf_counter())
                    return
                asked = memory.shortly(key, self.client[0] if self.client else "")
                if asked is not None:
                    self._ask(key, asked)
                    return
            self._read(key)

        def _is_free(self) -> bool:
            return not self.reading and (self.cycle is None or self.cycle.response_complete)

        def _read(self, key: tuple[str, bytes], found: object = None, started: float = 0.0) -> None:
            """Read what has come; something may have been found for it, and work on it have started."""
            free, begun = self._is_free(), self.begun
            super().data_received(key[1])
            if free and self.begun == begun + 1 and not self.reading:
                self.scope[KEY] = key  # type: ignore[typeddict-unknown-key]
                self.scope[FOUND] = found  # type: ignore[typeddict-unknown-key]
                self.scope[STARTED] = started  # type: ignore[typeddict-unknown-key]

        def _ask(self, key: tuple[str, bytes], asked: Asked) -> None:
            """Ask for the answer to a request that is not read whole; what comes meanwhile waits."""
            self.asking = True
            self._heard()
            self._unset_keepalive_if_required()
            self.working = task = EagerTask(self._ask_shortly(key, asked))
            task.step()

        async def _ask_shortly(self, key: tuple[str, bytes], asked: Asked) -> None:
            started, ready, found = perf_counter(), None, None
            try:
                ready, found = await asked
            except asyncio.CancelledError:
                self._note_left(started)
                raise
            except Exception:  # noqa: BLE001  # any fault of ours: the usual way meets it again and says so
                traceback.print_exc()
            self.asking = False
            if self.transport.is_closing():
                self._note_left(started)
                return
            if ready is None:
                self._read(key, found, started)
            else:
                self._answer(ready, started)
            if self.ending:
                self.shutdown()
            elif self.held:
                data, self.held = self.held, b""
                self.data_received(data)

        def _note_left(self, started: float) -> None:
            """Note that the client has gone before the answer to a query."""
            client = self.client[0] if self.client else ""
            memory.note(client, "GET", QUERIES, LEFT, 0, perf_counter() - started)

        def shutdown(self) -> None:
            self.ending = True
            if not self.asking:
                super().shutdown()

        def _answer(self, ready: Ready, started: float) -> None:
            """Send a whole answer."""
            self._unset_keepalive_if_required()
            self._heard()
            first = _first(*self.server_state.default_headers)
            self.transport.write(b"".join((STATUS_LINE[200], first, ready.head, b"\r\n", ready.body)))
            self.on_response_complete()
            client = ready.client if memory.apart or self.client is None else self.client[0]
            memory.note(client, "GET", ready.path, 200, len(ready.body), perf_counter() - started)

        def _start_asgi_task(self, cycle: RequestResponseCycle, app: ASGI3Application) -> None:
            self.working = task = self.loop.create_task(cycle.run_asgi(app))
            task.add_done_callback(self.tasks.discard)
            self.tasks.add(task)

        def _expect(self) -> None:
            """Give the client its time to send a whole request."""
            if self.waiting is not None:
                self.waiting.cancel()
            self.waiting = self.loop.call_later(limits.patience, self._cut)

        def _cut(self) -> None:
            if not self.transport.is_closing():
                self.transport.abort()

        def send_400_response(self, msg: str) -> None:
            status = self.refusal
            words = status.phrase.encode()
            head = f"HTTP/1.1 {status} {status.phrase}\r\nContent-Type: text/plain\r\nConnection: close\r\n"
            self.transport.write(f"{head}Content-Length: {len(words)}\r\n\r\n".encode() + words)
            self.transport.close()

        def on_message_begin(self) -> None:
            super().on_message_begin()
            self.sent = 0
            self.begun += 1
            self.reading = True
            if self.waiting is None:
                self._expect()

        def on_url(self, url: bytes) -> None:
            self.sent += len(url)
            if self.sent > limits.url:
                self.refusal = HTTPStatus.REQUEST_URI_TOO_LONG
                raise _TooLongError
            super().on_url(url)

        def on_header(self, name: bytes, value: bytes) -> None:
            self.sent += len(name) + len(value) + 4
            if self.sent > limits.headers + limits.url:
                self.refusal = HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE
                raise _TooLongError
            super().on_header(name, value)

        def on_headers_complete(self) -> None:
            super().on_headers_complete()
            self.scope[CYCLE] = self.cycle  # type: ignore[typeddict-unknown-key]

        def on_message_complete(self) -> None:
            super().on_message_complete()
            self.reading = False
            self._heard()

        def _heard(self) -> None:
            """Note that a request has come whole."""
            if self.waiting is not None:
                self.waiting.cancel()
                self.waiting = None

        def pause_writing(self) -> None:
            super().pause_writing()
            self.writing = self.loop.call_later(limits.patience, self._cut)

        def resume_writing(self) -> None:
            super().resume_writing()
            if self.writing is not None:
                self.writing.cancel()
                self.writing = None

    return Connection
