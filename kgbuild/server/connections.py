"""One connection: what a client sends is bounded in size and time, and so is the time it takes to read an answer."""

from __future__ import annotations

import asyncio
from http import HTTPStatus

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from kgbuild.server.settings import Limits


class _TooLongError(Exception):
    """A request whose address or headers are longer than allowed."""


def protocol(limits: Limits) -> type[HttpToolsProtocol]:
    """Return the protocol of connections within limits."""

    class Connection(HttpToolsProtocol):
        """A connection that is cut off when its client is too slow or sends too much."""

        sent = 0
        refusal = HTTPStatus.BAD_REQUEST
        waiting: asyncio.TimerHandle | None = None
        writing: asyncio.TimerHandle | None = None

        def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
            super().connection_made(transport)
            self._expect()

        def connection_lost(self, exc: Exception | None) -> None:
            for timer in (self.waiting, self.writing):
                if timer is not None:
                    timer.cancel()
            super().connection_lost(exc)

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

        def on_message_complete(self) -> None:
            super().on_message_complete()
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
