"""HTTP answers: bodies with validators and codings, and problems (RFC 9457) that say what went wrong."""

from __future__ import annotations

import asyncio
import gzip
import json
from collections.abc import Mapping
from functools import cached_property, lru_cache
from html import escape
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from starlette.responses import Response

from kgbuild.server.cache import Cache
from kgbuild.server.negotiation import HTML, Syntax, choose, choose_encoding

if TYPE_CHECKING:
    from starlette.requests import Request

CODINGS: Final = ("br", "zstd", "gzip")
_LEAST = 500
_MUCH: Final = 1 << 20
"""Bytes beyond which to compress a body takes so long that others must not wait for it; one not kept is sent whole."""
_COMPRESSED: Final[Cache[bytes]] = Cache(64 << 20)
_PROBLEM: Final = Syntax("json", "application/problem+json", ("application/json",))


def compress(data: bytes, coding: str) -> bytes:
    """Compress a body; the same bytes give the same bytes.

    >>> gzip.decompress(compress(b"tea", "gzip"))
    b'tea'
    """
    if coding == "br":
        import brotli

        return bytes(brotli.compress(data, quality=5))
    if coding == "zstd":
        import zstandard

        return zstandard.ZstdCompressor(level=6).compress(data)
    return gzip.compress(data, 6, mtime=0)


@lru_cache(maxsize=256)
def is_text(media_type: str) -> bool:
    """Tell whether a body of a media type gains by compression.

    >>> is_text("text/turtle"), is_text("application/n-quads"), is_text("application/gzip"), is_text("image/svg+xml")
    (True, True, False, True)
    """
    kind = media_type.partition(";")[0]
    return (
        kind.startswith("text/")
        or kind.endswith(("+json", "+xml", "/json", "/xml", "/trig", "/n-quads", "/n-triples", "+yaml"))
        or kind == "application/javascript"
    )


def content_type(media_type: str) -> str:
    """Return a Content-Type; a text says that it is UTF-8."""
    return f"{media_type}; charset=utf-8" if media_type.startswith("text/") else media_type


class Whole(Response):
    """An answer whose headers are all given, and spelt at once; raise `ValueError` where one would begin a line."""

    def __init__(self, body: bytes, headers: Mapping[str, str], status: int = 200) -> None:
        self.status_code, self.body, self.background = status, body, None
        self.tagged = "ETag" in headers
        head = "".join([f"{name.lower()}: {value}\r\n" for name, value in headers.items()])
        if head.count("\n") != len(headers) or head.count("\r") != len(headers):
            raise ValueError("a header may hold no line break")
        self.head = head.encode("latin-1")

    @cached_property
    def raw_headers(self) -> list[tuple[bytes, bytes]]:  # type: ignore[override]  # made where it is asked for
        """Return the headers one by one."""
        pairs = (line.partition(b": ") for line in self.head.splitlines())
        return [(name, value) for name, _, value in pairs]


def answer(
    request: Request, body: bytes, media_type: str, tag: str = "", headers: Mapping[str, str] | None = None
) -> Response:
    """Answer with a body: 304 where the client has it, compressed where the client takes that.

    `tag` identifies the body; without it nobody may keep the answer.
    """
    sent = {"Content-Type": content_type(media_type), **(headers or {})}
    wish, coding = _wish(request), "identity"
    if len(body) >= _LEAST and is_text(media_type):
        coding = wish.coding if tag or len(body) <= _MUCH else "identity"
        sent["Vary"] = f"{sent['Vary']}, Accept-Encoding" if "Vary" in sent else "Accept-Encoding"
    if tag:
        sent["ETag"] = f'"{tag}"' if coding == "identity" else f'"{tag}-{coding}"'
        sent.setdefault("Cache-Control", "public, max-age=60")
        if wish.known and is_known(request, sent["ETag"]):
            return Whole(b"", {key: value for key, value in sent.items() if key in _KEPT}, 304)
    else:
        sent.setdefault("Cache-Control", "no-store")
    if coding != "identity":
        sent["Content-Encoding"] = coding
        body = _coded(body, coding, tag)
    sent["Content-Length"] = str(len(body))
    return Whole(body, sent)


async def compress_apart(request: Request, body: bytes, media_type: str, tag: str) -> None:
    """Compress a large body in a thread, so that `answer` finds it done; other requests go on meanwhile."""
    coding = _wish(request).coding
    if tag and coding != "identity" and len(body) > _MUCH and is_text(media_type):
        key = (tag, coding)
        if _COMPRESSED.get(key) is None:
            found = await asyncio.to_thread(compress, body, coding)
            _COMPRESSED.put(key, found, len(found))


_WISH: Final = "kgbuild.wish"


class _Wish(NamedTuple):
    """What a client wants of any body: in a coding, and only if it does not know it."""

    coding: str
    known: bool


def _wish(request: Request) -> _Wish:
    """Return what the headers of a request say, which are read once."""
    wish: _Wish | None = request.scope.get(_WISH)
    if wish is None:
        taken = request.headers.get("accept-encoding")
        coding = choose_encoding(taken, CODINGS) if taken else "identity"
        wish = request.scope[_WISH] = _Wish(coding, "if-none-match" in request.headers)
    return wish


_KEPT: Final = {"ETag", "Cache-Control", "Vary", "Link", "Content-Location"}


def _coded(body: bytes, coding: str, tag: str) -> bytes:
    found = _COMPRESSED.get((tag, coding)) if tag else None
    if found is None:
        found = compress(body, coding)
        if tag:
            _COMPRESSED.put((tag, coding), found, len(found))
    return found


def is_known(request: Request, tag: str) -> bool:
    """Tell whether the client says that it holds the body with an entity tag (RFC 9110 §13.1.2)."""
    known = request.headers.get("if-none-match")
    if known is None:
        return False
    return known.strip() == "*" or tag in {item.strip().removeprefix("W/") for item in known.split(",")}


def problem(
    request: Request, status: int, detail: str, headers: Mapping[str, str] | None = None, **more: Any
) -> Response:
    """Answer with what went wrong, as problem+json, or as a page where the client likes that better."""
    title = HTTPStatus(status).phrase
    sent = {"Cache-Control": "no-store", "Vary": "Accept", **(headers or {})}
    chosen = choose(request.headers.get("accept", ""), (_PROBLEM, HTML)) or _PROBLEM
    if chosen is HTML:
        body = _page(status, title, detail, more).encode()
    else:
        body = json.dumps({"title": title, "status": status, "detail": detail, **more}, ensure_ascii=False).encode()
    sent["Content-Type"] = content_type(chosen.media_type)
    sent["Content-Length"] = str(len(body))
    return Whole(body, sent, status)


def _page(status: int, title: str, detail: str, more: Mapping[str, Any]) -> str:
    facts = "".join(f"<dt>{escape(name)}</dt><dd>{escape(str(value))}</dd>" for name, value in more.items())
    return (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{status} {escape(title)}</title></head>'
        f"<body><main><h1>{escape(title)}</h1><p>{escape(detail)}</p><dl>{facts}</dl></main></body></html>"
    )
