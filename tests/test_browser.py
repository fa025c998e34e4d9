"""The site in a real browser: each kind of page, light and dark, wide and narrow, has no fault that people would meet."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import axe_playwright_python
import pytest
from browsing import Visit, served

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

PAGES = (
    "index.html", "id/index.html", "id/magnesium.html", "id/restless-legs-syndrome.html", "claim/index.html",
    "claim/magnesium-rls/c043.html", "article/index.html", "article/magnesium-rls.html", "dataset/index.html",
    "dataset/studies.html", "evidence.html", "contradictions.html", "graph.html", "browse/index.html",
    "browse/certainty-possible.html", "query/index.html", "query/foods-by-magnesium.html", "query/publish-view.html",
    "ns.html", "report.html", "downloads.html", "about.html", "document/results.html", "404.html",
)  # fmt: skip
"""One page of each kind; the search and the workbench have tests of their own."""
WIDTHS = (1280, 390)
VIEWS: tuple[tuple[int, Literal["light", "dark"]], ...] = ((1280, "dark"), (390, "dark"), (390, "light"))
OVERFLOW = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
FEWER = """() => {
  for (const parent of document.querySelectorAll("main :is(ul, ol, dl, tbody, svg, nav, .terms)"))
    [...parent.children].slice(3).forEach(child => child.remove());
  for (const parent of document.querySelectorAll("main :is(section, div)"))
    [...parent.children].filter(child => child.matches("section, .versus, .datum")).slice(3).forEach(child => child.remove());
}"""
"""Leaves three of each list and of sections beside each other, for axe looks at every element on its own."""
AXE = """async rules => (await axe.run(rules ? {runOnly: rules} : {})).violations
  .map(found => [found.id, found.nodes.length, found.nodes[0].html, found.nodes[0].failureSummary])"""
LOOK = ["color-contrast", "link-in-text-block", "scrollable-region-focusable", "target-size"]
"""The rules whose outcome can depend on colours and width; the others are asked in the first view alone: wide and light."""
SHINING = "[...document.querySelectorAll('.lit')].filter(line => getComputedStyle(line).opacity > 0).length"


@pytest.fixture(scope="module")
def axe() -> str:
    return (Path(axe_playwright_python.__file__).parent / "axe.min.js").read_text("utf-8")


def without_scripts(browser: Browser, root: str, path: str) -> Page:
    page = browser.new_context(java_script_enabled=False, viewport={"width": 1280, "height": 900}).new_page()
    page.goto(root + path)
    return page


@pytest.fixture(scope="module")
def bare(browser: Browser) -> Iterator[Page]:
    """Open a page without its policy, which axe needs; a test below keeps the policy."""
    context = browser.new_context(bypass_csp=True, reduced_motion="reduce")
    yield context.new_page()
    context.close()


@pytest.mark.parametrize("path", PAGES)
def test_no_page_has_a_fault(bare: Page, site: Path, axe: str, path: str) -> None:
    faults = []
    bare.goto(f"{site.as_uri()}/{path}")
    for width in WIDTHS:
        bare.set_viewport_size({"width": width, "height": 900})
        if (over := bare.evaluate(OVERFLOW)) > 0:
            faults.append((width, "overflow", over))
    bare.set_viewport_size({"width": 1280, "height": 900})
    bare.emulate_media(color_scheme="light")
    bare.evaluate(FEWER)
    bare.evaluate(axe)
    faults += bare.evaluate(AXE)
    for width, scheme in VIEWS:
        bare.set_viewport_size({"width": width, "height": 900})
        bare.emulate_media(color_scheme=scheme)
        faults += [(width, scheme, *fault) for fault in bare.evaluate(AXE, LOOK)]
    assert faults == []


def test_no_page_complains_or_leaves_the_site(anywhere: Visit) -> None:
    for path in PAGES:
        anywhere.open(path)


def test_pages_are_whole_without_scripts_and_styles(browser: Browser, site: Path) -> None:
    page = browser.new_context(java_script_enabled=False).new_page()
    page.route("**/*", lambda route: route.continue_() if route.request.resource_type == "document" else route.abort())
    with served(site) as root:
        page.goto(f"{root}claim/magnesium-rls/c043.html")
        words = page.inner_text("main")
    for part in ("Probable", "MyPinsOnline", "sentence 14", "highly regarded", "Supports"):
        assert part in words
    page.context.close()


def test_the_whole_graph_is_filtered_without_scripts(browser: Browser, site: Path) -> None:
    page = without_scripts(browser, f"{site.as_uri()}/", "graph.html")
    lines, rows = page.locator(".ring .edge:visible"), page.locator(".joined tbody tr:visible")
    all_lines, all_rows = lines.count(), rows.count()
    page.check("#tone-hedged")
    assert 0 < lines.count() < all_lines
    assert lines.count() == page.locator(".ring .edge.hedged").count()
    assert 0 < rows.count() < all_rows
    page.get_by_label("food group").check()
    assert lines.count() < page.locator(".ring .edge.hedged").count()
    page.context.close()


def test_a_thing_in_focus_lights_its_lines(visit: Visit) -> None:
    page = visit.open("graph.html")
    assert page.evaluate(SHINING) == 0
    page.locator(".ring .node a").first.focus()
    assert page.evaluate(SHINING) > 0


def test_print_shows_the_claim_and_no_navigation(visit: Visit) -> None:
    page = visit.open("claim/magnesium-rls/c043.html")
    page.emulate_media(media="print")
    assert not page.locator("header.site nav").is_visible()
    assert page.locator("h1").is_visible()
