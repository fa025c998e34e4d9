"""SERVICE to the few endpoints that an operator allows: rewritten to lead through the server itself.

The forwarder resolves the name, refuses every address that is not public, and connects to the address it has seen:
a name that changes its address between the two looks gains nothing. It follows no redirect.
"""

from __future__ import annotations

import asyncio
import hmac
import http.client
import ipaddress
import secrets
import socket
import ssl
from collections.abc import Callable
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from starlette.responses import Response

from kgbuild.server.settings import Limits
from kgbuild.server.sparql import RefusedError, read_body
from kgbuild.store import tokens

if TYPE_CHECKING:
    from starlette.requests import Request

Allowed = Callable[[str], bool]


class NotAllowedError(Exception):
    """A SERVICE that may not be asked."""


def is_public(address: str) -> bool:
    """Tell whether an IP address is one of the public internet.

    >>> is_public("8.8.8.8"), is_public("127.0.0.1"), is_public("10.1.2.3"), is_public("::ffff:127.0.0.1")
    (True, False, False, False)
    """
    found = ipaddress.ip_address(address.partition("%")[0])
    mapped = getattr(found, "ipv4_mapped", None)
    return (mapped or found).is_global and not (mapped or found).is_multicast


class Services:
    """The endpoints that queries may ask, and the forwarder to them."""

    def __init__(self, allowed: tuple[str, ...], address: str, limits: Limits, public: Allowed = is_public) -> None:
        self.allowed, self.limits, self.public = allowed, limits, public
        self.token = secrets.token_urlsafe(32)
        self.address = f"{address}{self.token}/"

    def rewrite(self, sparql: str) -> str:
        """Let each SERVICE of a query lead through the forwarder; raise `NotAllowedError` for one not allowed.

        >>> services = Services(("http://a/",), "http://here/", Limits()); services.token in services.rewrite(
        ...     "ASK { SERVICE SILENT <http://a/> { ?s ?p ?o } }")
        True
        """
        found = tokens(sparql)
        expected = False
        for place, token in enumerate(found):
            if token.upper() in {"SERVICE", "LOAD"}:
                expected = True
            elif expected and not token.isspace() and not token.startswith("#") and token.upper() != "SILENT":
                if token[1:-1] not in self.allowed or not token.startswith("<"):
                    known = ", ".join(self.allowed)
                    raise NotAllowedError(f"SERVICE may ask these endpoints only, written as IRIs: {known}")
                found[place] = f"<{self.address}{self.allowed.index(token[1:-1])}>"
                expected = False
        return "".join(found)

    async def respond(self, request: Request, path: str) -> Response:
        """Forward the query of a worker."""
        token, _, number = path.removeprefix("-/service/").partition("/")
        fits = hmac.compare_digest(token.encode(), self.token.encode())
        if not fits or not number.isdigit() or int(number) >= len(self.allowed):
            raise RefusedError(404, "there is nothing at this address")
        body = await read_body(request, self.limits.body)
        headers = {name: request.headers[name] for name in ("accept", "content-type") if name in request.headers}
        url = self.allowed[int(number)]
        query = f"?{request.url.query}" if request.url.query else ""
        forwarded = asyncio.to_thread(self.fetch, url + query, request.method, body, headers)
        try:
            status, media, data = await asyncio.wait_for(forwarded, self.limits.seconds)
        except (OSError, TimeoutError, http.client.HTTPException, NotAllowedError):
            raise RefusedError(502, "the endpoint did not answer, or may not be asked") from None
        return Response(data, status, media_type=media)

    def fetch(self, url: str, method: str, body: bytes, headers: dict[str, str]) -> tuple[int, str, bytes]:
        """Ask an endpoint at the address its name has now, if that is public; return status, media type and body."""
        parts = urlsplit(url)
        secure = parts.scheme == "https"
        host, port = parts.hostname or "", parts.port or (443 if secure else 80)
        connection = http.client.HTTPConnection(host, port, timeout=self.limits.seconds)
        connection.sock = self._connect(host, port, secure=secure)
        try:
            target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
            connection.request(method, target, body, headers | {"Connection": "close"})
            response = connection.getresponse()
            data = response.read(self.limits.bytes + 1)
        finally:
            connection.close()
        if len(data) > self.limits.bytes or response.status // 100 == 3:
            raise NotAllowedError("the answer is too large, or leads elsewhere")
        return response.status, response.headers.get_content_type(), data

    def _connect(self, host: str, port: int, *, secure: bool) -> socket.socket:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        addresses = [str(item[4][0]) for item in found]
        if not addresses or not all(map(self.public, addresses)):
            raise NotAllowedError(f"{host} has an address that is not public")
        plain = socket.create_connection((addresses[0], port), timeout=self.limits.seconds)
        return ssl.create_default_context().wrap_socket(plain, server_hostname=host) if secure else plain
