"""What a server is told: where it listens, and the limits of what it does for one request."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass, field
from typing import Final

from kgbuild.diagnostics import UsageError

MEGABYTE: Final = 1 << 20
NOTICE: Final = "Reports what articles claim, with source and certainty. Not medical advice."


@dataclass(frozen=True, slots=True)
class Limits:
    """What one request may cost: seconds, bytes of memory beyond a worker's own, rows and bytes of an answer …"""

    seconds: float = 10.0
    memory: int = 1024 * MEGABYTE
    rows: int = 100_000
    bytes: int = 50 * MEGABYTE
    queue: int = 64
    """Queries that may wait for a worker; one client may hold a quarter of the places."""
    url: int = 16_000
    headers: int = 32_000
    body: int = MEGABYTE
    patience: float = 10.0
    """Seconds in which a client must have sent its request, and taken each part of the answer."""


@dataclass(frozen=True, slots=True)
class Settings:
    """Where a server listens and what it serves."""

    host: str = "127.0.0.1"
    port: int = 8000
    base_url: str = ""
    workers: int = 2
    limits: Limits = field(default_factory=Limits)
    services: tuple[str, ...] = ()
    """Addresses that SERVICE may ask."""
    trusted: tuple[str, ...] = ()
    """Proxies whose X-Forwarded-For is believed: addresses or networks."""
    access_log: str = ""
    endpoint: str = ""
    """A remote store that is asked instead of the build's own."""
    user: str = ""
    watch: bool = False

    def __post_init__(self) -> None:
        if self.base_url and not (self.base_url.startswith(("http://", "https://")) and self.base_url.endswith("/")):
            raise UsageError("--base-url is an http(s) address that ends with a slash, such as https://example.org/kg/")
        if self.endpoint and self.watch:
            raise UsageError("--watch builds the project here; it does not go with --endpoint")
        if self.endpoint and not self.endpoint.startswith(("http://", "https://")):
            raise UsageError(f"--endpoint is an http(s) address, not '{self.endpoint}'")
        for name, value in (("--workers", self.workers), ("--timeout", self.limits.seconds)):
            if value <= 0:
                raise UsageError(f"{name} must be more than 0")
        for network in self.trusted:
            try:
                ipaddress.ip_network(network, strict=False)
            except ValueError:
                raise UsageError(f"--trusted-proxy takes an address or a network, not '{network}'") from None
        for service in self.services:
            if not service.startswith(("http://", "https://")):
                raise UsageError(f"--allow-service takes an http(s) address, not '{service}'")
