"""The site in a real browser: each kind of page, light and dark, wide and narrow, has no fault that people would meet.

Needs Debian's Chromium and the extra `browser`; without either each test is skipped and says why.
"""

from __future__ import annotations

import os
import shutil
import threading
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest

import kgbuild

sync_api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed: pip install 'kgbuild[dev]'")
pytest.importorskip("axe_playwright_python", reason="axe is not installed: pip install 'kgbuild[dev]'")
CHROMIUM = os.environ.get("KGBUILD_CHROMIUM") or shutil.which("chromium") or shutil.which("chromium-browser") or ""
pytestmark = pytest.mark.skipif(not CHROMIUM, reason="chromium is not installed: apt-get install chromium")

FLAGS = [
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
]  # fmt: skip
PAGES = (
    "index.html", "id/index.html", "id/magnesium.html", "id/restless-legs-syndrome.html", "claim/index.html",
    "claim/magnesium-rls/c043.html", "article/index.html", "article/magnesium-rls.html", "dataset/index.html",
    "dataset/studies.html", "evidence.html", "contradictions.html", "graph.html", "browse/index.html",
    "browse/certainty-possible.html", "query/index.html", "query/foods-by-magnesium.html", "query/publish-view.html",
    "ns.html", "report.html", "downloads.html", "about.html", "404.html",
)  # fmt: skip
"""One page of each kind that works without JavaScript."""
VIEWS = [(scheme, width) for scheme in ("light", "dark") for width in (1280, 390)]
LEFT = "net::ERR_ABORTED"
"""What becomes of a request that is under way when the next page is opened."""
OVERFLOW = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
FEWER = """() => {
  for (const parent of document.querySelectorAll("main :is(ul, ol, dl, tbody, svg, nav, .terms)"))
    [...parent.children].slice(4).forEach(child => child.remove());
  for (const parent of document.querySelectorAll("main :is(section, div)"))
    [...parent.children].filter(child => child.tagName === "SECTION").slice(4).forEach(child => child.remove());
}"""
"""Leaves four of each list and of sections beside each other, for axe looks at every element on its own."""
AXE = """async rules => (await axe.run(rules ? {runOnly: rules} : {})).violations
  .map(found => [found.id, found.nodes.length, found.nodes[0].html, found.nodes[0].failureSummary])"""
LOOK = ["color-contrast", "link-in-text-block", "scrollable-region-focusable", "target-size"]
"""The rules whose outcome can depend on colours and width; the others are asked in the first view alone."""


class _Quiet(SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  # the name of the method's parameter
        """Say nothing."""


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build the article's project, beside its sources."""
    root = tmp_path_factory.mktemp("browser")
    here = Path(__file__).parents[1]
    for name in ("data", "ontology", "queries"):
        shutil.copytree(here / name, root / name)
    shutil.copy(here / "pyproject.toml", root)
    kgbuild.build(root)
    return root / "build" / "site"


@pytest.fixture(scope="module")
def address(site: Path) -> Iterator[str]:
    """Serve the site at a sub-path, as a host of many projects does."""
    parent = site.parent
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(_Quiet, directory=str(parent)))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/site/"
    server.shutdown()
    server.server_close()


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    """Start the browser once."""
    with sync_api.sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield started
        started.close()


def axe() -> str:
    return files("axe_playwright_python").joinpath("axe.min.js").read_text("utf-8")


@pytest.mark.parametrize(("scheme", "width"), VIEWS)
def test_no_page_has_a_fault(browser: Any, address: str, scheme: str, width: int) -> None:
    """The policy is lifted for axe alone, which is a script from elsewhere; the next test keeps it."""
    context = browser.new_context(
        color_scheme=scheme, viewport={"width": width, "height": 900}, bypass_csp=True, reduced_motion="reduce"
    )
    page = context.new_page()
    rules = None if (scheme, width) == VIEWS[0] else LOOK
    faults = []
    for path in PAGES:
        page.goto(address + path)
        if (over := page.evaluate(OVERFLOW)) > 0:
            faults.append((path, "overflow", over))
        page.evaluate(FEWER)
        page.evaluate(axe())
        faults += [(path, *fault) for fault in page.evaluate(AXE, rules)]
    context.close()
    assert faults == []


@pytest.mark.parametrize("place", ["http", "disk"])
def test_no_page_complains_or_leaves_the_site(browser: Any, site: Path, address: str, place: str) -> None:
    root = address if place == "http" else site.as_uri() + "/"
    context = browser.new_context(viewport={"width": 1280, "height": 900})
    page = context.new_page()
    said: list[str] = []
    page.on("console", lambda message: said.append(f"{page.url}: {message.text}"))
    page.on("pageerror", lambda error: said.append(f"{page.url}: {error}"))
    page.on("request", lambda request: request.url.startswith(root) or said.append(f"left the site: {request.url}"))
    page.on("requestfailed", lambda request: request.failure == LEFT or said.append(f"failed: {request.url}"))
    page.on("response", lambda response: response.status < 400 or said.append(f"{response.status}: {response.url}"))
    for path in PAGES:
        page.goto(root + path, wait_until="load")
    context.close()
    assert said == []


def test_pages_are_whole_without_scripts_and_styles(browser: Any, address: str) -> None:
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.route("**/*", lambda route: route.continue_() if route.request.resource_type == "document" else route.abort())
    page.goto(address + "claim/magnesium-rls/c043.html")
    words = page.inner_text("main")
    for part in ("Probable", "MyPinsOnline", "sentence 14", "highly regarded", "Supports"):
        assert part in words
    context.close()


def test_the_whole_graph_is_filtered_without_scripts(browser: Any, address: str) -> None:
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(address + "graph.html")
    lines, rows = page.locator(".ring .edge:visible"), page.locator(".joined tbody tr:visible")
    all_lines, all_rows = lines.count(), rows.count()
    page.check("#tone-hedged")
    assert 0 < lines.count() < all_lines
    assert lines.count() == page.locator(".ring .edge.hedged").count()
    assert 0 < rows.count() < all_rows
    page.get_by_label("food group").check()
    assert lines.count() < page.locator(".ring .edge.hedged").count()
    context.close()


def test_a_thing_in_focus_lights_its_lines(browser: Any, address: str) -> None:
    context = browser.new_context(viewport={"width": 1280, "height": 900})
    page = context.new_page()
    page.goto(address + "graph.html")
    shine = "document.querySelectorAll('.lit').length && [...document.querySelectorAll('.lit')].filter(l => getComputedStyle(l).opacity > 0).length"
    assert page.evaluate(shine) == 0
    page.locator(".ring .node a").first.focus()
    assert page.evaluate(shine) > 0
    context.close()


def test_print_shows_the_claim_and_no_navigation(browser: Any, address: str) -> None:
    context = browser.new_context()
    page = context.new_page()
    page.emulate_media(media="print")
    page.goto(address + "claim/magnesium-rls/c043.html")
    assert not page.locator("header.site nav").is_visible()
    assert page.locator("h1").is_visible()
    context.close()
