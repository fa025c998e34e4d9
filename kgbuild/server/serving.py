"""`kgbuild serve`: bind, tell where, and run until stopped."""

from __future__ import annotations

import errno
import socket
import sys
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from kgbuild.diagnostics import UnreadableError, UsageError
from kgbuild.project import Project, load_project
from kgbuild.server.settings import Settings

if TYPE_CHECKING:
    from kgbuild.server.remote import Remote

MOST_QUADS = 1_000_000
"""Quads of a remote store of which pages are made."""
GRACE = 10
"""Seconds that requests have to end after a stop."""


def serve(start: Path | str = ".", settings: Settings | None = None) -> None:
    """Serve the build of the project at or above `start` until the process is told to stop.

    Raises `UnreadableError` where there is no build and `UsageError` where the address cannot be had.
    """
    settings = settings or Settings()
    project = load_project(Path(start))
    if not settings.endpoint and not (project.build / "report.json").is_file():
        raise UnreadableError(f"no build at {project.build}: run `kgbuild build` first")
    with bind(settings.host, settings.port) as listening:
        settings = replace(settings, port=listening.getsockname()[1])
        if settings.endpoint:
            _run_remote(project, settings, listening)
        else:
            _run(project, settings, listening, project.build, None)


def _run_remote(project: Project, settings: Settings, listening: socket.socket) -> None:
    """Make pages of what a remote store holds, and send queries on to it."""
    from kgbuild.server.application import new_turns
    from kgbuild.server.gathering import gather
    from kgbuild.server.remote import Remote, pull

    remote = Remote(settings.endpoint, settings.limits, new_turns(settings), project.prefixes, settings.user)
    remote.probe()
    with tempfile.TemporaryDirectory(prefix="kgbuild-") as folder:
        build = Path(folder) / "build"
        gather(project, pull(remote, MOST_QUADS), build)
        _run(project, settings, listening, build, remote)


def bind(host: str, port: int) -> socket.socket:
    """Listen at an address; raise `UsageError` with the reason where that cannot be."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listening = socket.socket(family, socket.SOCK_STREAM)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listening.bind((host, port))
        listening.listen(2048)
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


def _run(project: Project, settings: Settings, listening: socket.socket, build: Path, remote: Remote | None) -> None:
    import uvicorn

    from kgbuild.server.application import Application
    from kgbuild.server.connections import protocol

    application = Application(project, settings, build, remote)

    class Server(uvicorn.Server):
        """A server that says where it is."""

        async def startup(self, sockets: list[socket.socket] | None = None) -> None:
            await super().startup(sockets=sockets)
            if self.started:
                known = f" as {settings.base_url}" if settings.base_url else ""
                print(f"serving {application.local}{known} (Ctrl-C stops)", file=sys.stderr, flush=True)

    config = uvicorn.Config(
        application,
        http=protocol(settings.limits, application.memory),
        ws="none",
        lifespan="on",
        log_level="critical",
        access_log=False,
        server_header=False,
        backlog=2048,
        proxy_headers=bool(settings.trusted),
        forwarded_allow_ips=list(settings.trusted),
        timeout_keep_alive=int(settings.limits.patience) or 1,
        timeout_graceful_shutdown=1 if settings.watch else GRACE,
    )
    Server(config).run(sockets=[listening])
