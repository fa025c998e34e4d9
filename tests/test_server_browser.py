"""A browser on `kgbuild serve`: the pages work under the headers of the server, and nothing complains."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import urlencode

from browsing import watched
from playwright.sync_api import Browser, expect
from servers import until
from test_server_limits import ENDLESS

if TYPE_CHECKING:
    from servers import Server


GRAPH = "CONSTRUCT WHERE { id:kale mr:sourceOf ?x }"


def test_the_workbench_and_the_search_work_when_served(browser: Browser, server: Server) -> None:
    with watched(browser, server.url) as visit:
        page = visit.open("workbench/index.html")
        expect(page.locator("#workbench")).to_be_visible()
        page.click("#run")
        page.wait_for_selector("#stop:disabled", timeout=20_000)
        assert page.locator("#answer tbody tr").count() > 0


def test_the_workbench_can_be_pointed_at_the_endpoint(browser: Browser, server: Server) -> None:
    select = "SELECT ?food { ?food mr:sourceOf id:magnesium } ORDER BY ?food"
    with watched(browser, server.url) as visit:
        page = visit.open("sparql")
        page.click("text=Ask from the workbench")
        told = urlencode({"query": select, "endpoint": "../sparql"})
        page = visit.open(f"workbench/index.html#{told}")
        expect(page.locator("#where")).to_contain_text("/sparql, not in the page")
        asked: list[str] = []
        page.on("request", lambda found: asked.append(found.url))
        page.click("#run")
        expect(page.locator("#status")).to_contain_text("rows in")
        rows = len(server.query(select).json()["results"]["bindings"])
        assert page.locator("#answer tbody tr").count() == rows
        assert asked == [f"{server.url}sparql"]
        page.goto(f"{server.url}workbench/index.html#" + urlencode({"query": GRAPH, "endpoint": "/sparql"}))
        page.click("#run")
        expect(page.locator("#answer")).to_contain_text("mr:sourceOf")
        page.goto(f"{server.url}workbench/index.html#" + urlencode({"query": ENDLESS % 4, "endpoint": "../sparql"}))
        page.click("#run")
        assert until(lambda: "kgbuild_running 1.0" in server.ask("-/metrics").text)
        page.click("#stop")
        expect(page.locator("#status")).to_have_text("Stopped.")
        assert until(lambda: "kgbuild_running 0.0" in server.ask("-/metrics").text)
        page.goto(f"{server.url}workbench/index.html#" + urlencode({"endpoint": "https://example.org/sparql"}))
        expect(page.locator("#where")).to_be_empty()


def test_the_endpoint_tells_the_workbench_what_is_wrong(browser: Browser, server: Server) -> None:
    page = browser.new_page()
    told = urlencode({"query": "SELECT ?s WHERE {\n  ?s nope:x ?o .\n}", "endpoint": "../sparql"})
    page.goto(f"{server.url}workbench/index.html#{told}")
    page.click("#run")
    expect(page.locator("#status")).to_contain_text("Line 2, column 12: the prefix is not declared")
    page.close()


def test_a_query_is_asked_in_the_form(browser: Browser, server: Server) -> None:
    with watched(browser, server.url) as visit:
        page = visit.open("sparql")
        page.click("button")
        expect(page.locator("table.answer caption")).to_contain_text("10 rows")
        page = visit.open("api/")
        expect(page.locator("h1")).to_be_visible()
        page = visit.open("id/magnesium")
        assert page.url.endswith("id/magnesium.html")
