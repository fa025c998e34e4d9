"""`kgbuild serve --watch`: build again when a source changes, tell open pages, and show what is wrong in them."""

from __future__ import annotations

import asyncio
import contextlib
import json
import re
import sys
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from starlette.responses import Response, StreamingResponse

from kgbuild.diagnostics import KgbuildError
from kgbuild.project import Project, load_project
from kgbuild.server.replies import answer

if TYPE_CHECKING:
    from starlette.requests import Request

LOOK: Final = 0.3
"""Seconds between two looks at the sources."""
_POLICY: Final = re.compile(rb'<meta http-equiv="Content-Security-Policy"[^>]*>\n?')
_PLACES: Final = ("data", "ontology", "queries")
SCRIPT: Final = """\
"use strict";
(() => {
  const { state: seen, events: source } = document.currentScript.dataset;
  const shown = document.createElement("aside");
  shown.setAttribute("role", "status");
  shown.className = "wide";
  const show = (state) => {
    shown.replaceChildren();
    for (const line of state.lines) {
      const item = document.createElement("pre");
      item.textContent = line;
      shown.append(item);
    }
    if (state.lines.length) document.body.prepend(shown); else shown.remove();
  };
  const events = new EventSource(source);
  events.onmessage = (event) => {
    const state = JSON.parse(event.data);
    if (state.build !== seen) location.reload(); else show(state);
  };
})();
"""


class Watch:
    """Watches the sources of a project, builds when they change, and keeps what the last build found."""

    def __init__(self, project: Project) -> None:
        self.project = project
        self.lines: tuple[str, ...] = ()
        self.changed = asyncio.Condition()
        self.number = 0

    async def run(self) -> None:
        """Watch until cancelled."""
        seen, beside = None, list[Path]()
        while True:
            now = await asyncio.to_thread(_state, self.project.root, beside)
            if now != seen:
                first, beside = seen is None, await asyncio.to_thread(_beside, self.project.root, beside)
                seen = await asyncio.to_thread(_state, self.project.root, beside)
                if not first:
                    print("building …", file=sys.stderr, flush=True)
                await self._build()
            await asyncio.sleep(LOOK)

    async def _build(self) -> None:
        command = (sys.executable, "-m", "kgbuild", "-C", str(self.project.root), "build", "--format", "json")
        process = await asyncio.create_subprocess_exec(
            *command, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
        )
        try:
            out, err = await process.communicate()
        finally:
            if process.returncode is None:
                with contextlib.suppress(ProcessLookupError):
                    process.kill()
        self.lines = tuple(_lines(out, err, process.returncode or 0))
        if self.lines:
            print("\n".join(self.lines), file=sys.stderr, flush=True)
        await self.tell()

    async def tell(self) -> None:
        """Wake every page that waits for news."""
        async with self.changed:
            self.number += 1
            self.changed.notify_all()

    async def events(self, digest: Any) -> AsyncIterator[bytes]:
        """Yield the state now and after each change (server-sent events)."""
        while True:
            number = self.number
            data = json.dumps({"build": digest(), "lines": self.lines})
            yield f"data: {data}\n\n".encode()
            async with self.changed:
                while self.number == number:
                    await self.changed.wait()


def _beside(root: Path, last: list[Path]) -> list[Path]:
    """Return the documents of the project and their pictures, or those of `last` where its settings are broken."""
    from kgbuild.site.documents import document_files

    try:
        return document_files(load_project(root))
    except KgbuildError:
        return last


def _state(root: Path, beside: list[Path]) -> tuple[tuple[str, int, int], ...]:
    """Return name, time and size of every source."""
    files = [root / "pyproject.toml", root / "kgbuild.toml", *beside]
    for place in _PLACES:
        files += sorted((root / place).rglob("*"))
    return tuple(_marks(files))


def _marks(files: list[Path]) -> Iterator[tuple[str, int, int]]:
    for path in files:
        with contextlib.suppress(OSError):
            found = path.stat()
            yield str(path), found.st_mtime_ns, found.st_size


def _lines(out: bytes, err: bytes, code: int) -> Iterator[str]:
    """Return what a build found, a line each; nothing where all is well."""
    if not code:
        return
    try:
        findings = json.loads(out)["findings"]
    except (ValueError, KeyError):
        findings = []
    for item in findings:
        place = f"{item['path']}:{item['line']}:{item['column']}: " if item.get("path") else ""
        hint = f"\n  help: {item['hint']}" if item.get("hint") else ""
        yield f"{place}{item['severity']}[{item['code']}]: {item['message']}{hint}"
    if not findings:
        yield from err.decode("utf-8", "replace").strip().splitlines()[-3:]


def enliven(response: Response, prefix: str, digest: str) -> Response:
    """Let a page load itself again after a build."""
    media = response.headers.get("content-type", "")
    body = getattr(response, "body", b"")
    if not media.startswith("text/html") or response.status_code != 200 or not isinstance(body, bytes):
        return response
    script = f'<script src="{prefix}-/live.js" data-state="{digest}" data-events="{prefix}-/events"></script>'
    page = _POLICY.sub(b"", body).replace(b"</body>", script.encode() + b"</body>")
    return Response(page, headers={"Content-Type": media, "Cache-Control": "no-store"})


def respond(request: Request, path: str, watch: Watch, digest: Any) -> Response | None:
    """Answer with the script or the news, or return None."""
    if path == "-/live.js":
        return answer(request, SCRIPT.encode(), "text/javascript")
    if path == "-/events":
        headers = {"Cache-Control": "no-store"}
        return StreamingResponse(watch.events(digest), headers=headers, media_type="text/event-stream")
    return None
