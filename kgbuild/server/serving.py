"""`kgbuild serve`: bind, tell where, and run until stopped."""

from __future__ import annotations

import errno
import socket
import sys
from dataclasses import replace
from pathlib import Path

from kgbuild.diagnostics import UnreadableError, UsageError
from kgbuild.project import Project, load_project
from kgbuild.server.settings import Settings

GRACE = 10
"""Seconds that requests have to end after a stop."""


def serve(start: Path | str = ".", settings: Settings | None = None) -> None:
    """Serve the build of the project at or above `start` until the process is told to stop.

    Raises `UnreadableError` where there is no build and `UsageError` where the address cannot be had.
    """
    settings = settings or Settings()
    project = load_project(Path(start))
    if not (project.build / "report.json").is_file():
        raise UnreadableError(f"no build at {project.build}: run `kgbuild build` first")
    listening = bind(settings.host, settings.port)
    with listening:
        _run(project, replace(settings, port=listening.getsockname()[1]), listening)


def bind(host: str, port: int) -> socket.socket:
    """Listen at an address; raise `UsageError` with the reason where that cannot be."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listening = socket.socket(family, socket.SOCK_STREAM)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listening.bind((host, port))
    except (OSError, OverflowError) as error:
        listening.close()
        raise UsageError(_reason(host, port, error)) from error
    return listening


def _reason(host: str, port: int, error: Exception) -> str:
    code = getattr(error, "errno", None)
    if code == errno.EADDRINUSE:
        return f"port {port} of {host} is in use by another program; choose another with --port"
    if code == errno.EACCES:
        return f"port {port} needs rights this user does not have; choose one above 1023 with --port"
    return f"cannot listen at {host} port {port}: {getattr(error, 'strerror', None) or error}"


def _run(project: Project, settings: Settings, listening: socket.socket) -> None:
    import uvicorn

    from kgbuild.server.application import Application
    from kgbuild.server.connections import protocol

    application = Application(project, settings)

    class Server(uvicorn.Server):
        """A server that says where it is."""

        async def startup(self, sockets: list[socket.socket] | None = None) -> None:
            await super().startup(sockets=sockets)
            if self.started:
                known = f" as {settings.base_url}" if settings.base_url else ""
                print(f"serving {application.local}{known} (Ctrl-C stops)", file=sys.stderr, flush=True)

    config = uvicorn.Config(
        application,
        http=protocol(settings.limits),
        ws="none",
        lifespan="on",
        log_level="critical",
        access_log=False,
        server_header=False,
        backlog=2048,
        proxy_headers=bool(settings.trusted),
        forwarded_allow_ips=list(settings.trusted),
        timeout_keep_alive=int(settings.limits.patience) or 1,
        timeout_graceful_shutdown=GRACE,
    )
    Server(config).run(sockets=[listening])
