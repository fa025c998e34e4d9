"""A browser on a built site: from disk or over HTTP at a sub-path, with an eye on everything that a page does."""

from __future__ import annotations

import shutil
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or ""
FLAGS = [
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
]  # fmt: skip


@dataclass
class Visit:
    """A page of the site, with what it asked for beyond the site and what it complained of."""

    page: Page
    root: str
    outside: list[str] = field(default_factory=list)
    complaints: list[str] = field(default_factory=list)

    def open(self, path: str) -> Page:
        self.page.goto(self.root + path)
        return self.page

    def watch(self) -> None:
        inside = (self.root, "blob:", "data:")
        self.page.on("request", lambda found: None if found.url.startswith(inside) else self.outside.append(found.url))
        self.page.on("console", lambda found: self.complaints.append(f"{found.type}: {found.text}"))
        self.page.on("pageerror", lambda found: self.complaints.append(str(found)))


@contextmanager
def chromium() -> Iterator[Browser]:
    """Start Debian's Chromium."""
    if not CHROMIUM:
        pytest.skip("chromium is not installed: apt-get install chromium")
    with sync_playwright() as made:
        browser = made.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield browser
        browser.close()


@contextmanager
def watched(browser: Browser, root: str) -> Iterator[Visit]:
    """Open a page below an address, and see at the end that it asked nothing of others and complained of nothing."""
    context = browser.new_context(accept_downloads=True)
    made = Visit(context.new_page(), root)
    made.watch()
    yield made
    context.close()
    assert (made.outside, made.complaints) == ([], [])


class _Quiet(SimpleHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@contextmanager
def served(site: Path) -> Iterator[str]:
    """Serve a site at a sub-path and return its address."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(_Quiet, directory=str(site.parent)))
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_address[1]}/{site.name}/"
    server.shutdown()
    server.server_close()
    thread.join()
