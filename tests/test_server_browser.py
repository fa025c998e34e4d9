"""A browser on `kgbuild serve`: the pages work under the headers of the server, and nothing complains."""

from __future__ import annotations

from typing import TYPE_CHECKING

from browsing import watched
from playwright.sync_api import Browser, expect

if TYPE_CHECKING:
    from servers import Server


def test_the_workbench_and_the_search_work_when_served(browser: Browser, server: Server) -> None:
    with watched(browser, server.url) as visit:
        page = visit.open("workbench/index.html")
        expect(page.locator("#workbench")).to_be_visible()
        page.click("#run")
        page.wait_for_selector("#stop:disabled", timeout=20_000)
        assert page.locator("#answer tbody tr").count() > 0


def test_a_query_is_asked_in_the_form(browser: Browser, server: Server) -> None:
    with watched(browser, server.url) as visit:
        page = visit.open("sparql")
        page.click("button")
        expect(page.locator("table.answer caption")).to_contain_text("10 rows")
        page = visit.open("api/")
        expect(page.locator("h1")).to_be_visible()
        page = visit.open("id/magnesium")
        assert page.url.endswith("id/magnesium.html")
