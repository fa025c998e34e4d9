"""The search: by names in every language, with misspelt words, by keyboard, from disk and over HTTP."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from browsing import Visit, served
from playwright.sync_api import Browser, Page, expect

from kgbuild.compilation import Compilation

HOSTILE = '<img src=x onerror="alert(1)"><script>alert(2)</script>'


def options(page: Page, text: str) -> list[str]:
    page.fill("#_q", text)
    expect(page.locator("[role=option]").first).to_be_visible()
    return [option.inner_text() for option in page.locator("[role=option]").all()]


@pytest.mark.parametrize(
    "words",
    ["willis", "RLS", "restles legs syndrom", "Syndrom der ruhelosen", "sindrome de piernas", "enfermedad de Willis"],
)
def test_an_entity_is_found_by_any_of_its_names_first(visit: Visit, words: str) -> None:
    page = visit.open("index.html")
    first = options(page, words)[0]
    assert first.startswith("restless legs syndrome")
    assert "condition" in first


def test_a_name_that_is_not_the_label_is_shown(visit: Visit) -> None:
    page = visit.open("index.html")
    assert "also called Willis-Ekbom disease" in options(page, "willis")[0]


def test_the_search_goes_by_keyboard_alone(anywhere: Visit) -> None:
    page = anywhere.open("claim/index.html")
    page.keyboard.press("/")
    expect(page.locator("#_q")).to_be_focused()
    page.keyboard.type("spinach")
    expect(page.locator("[role=option]").first).to_have_attribute("aria-selected", "true")
    page.keyboard.press("ArrowDown")
    expect(page.locator("[role=option]").nth(1)).to_have_attribute("aria-selected", "true")
    expect(page.locator("#_q")).to_have_attribute("aria-activedescendant", "_found-1")
    page.keyboard.press("ArrowUp")
    page.keyboard.press("Enter")
    page.wait_for_url("**/id/spinach.html")


def test_escape_closes_the_list_then_leaves_the_box(visit: Visit) -> None:
    page = visit.open("index.html")
    options(page, "magnesium")
    page.keyboard.press("Escape")
    expect(page.locator("[role=listbox]")).to_be_hidden()
    expect(page.locator("#_q")).to_have_attribute("aria-expanded", "false")
    page.keyboard.press("Escape")
    expect(page.locator("#_q")).not_to_be_focused()


def test_a_claim_is_shown_with_certainty_and_polarity(visit: Visit, compilation: Compilation) -> None:
    page = visit.open("index.html")
    claims = {claim.id: claim for claim in compilation.sources.claims}
    hedged = next(claim for claim in claims.values() if claim.certainty == "possible")
    (shown,) = options(page, hedged.id)
    assert hedged.statement in shown
    assert "Possible" in shown
    assert "Hedged" in shown
    assert "MyPinsOnline, sentence" in shown
    implied = next(claim for claim in claims.values() if claim.implied)
    assert options(page, implied.id)[0].endswith("implied")


def test_the_page_of_results_reads_its_address(anywhere: Visit) -> None:
    page = anywhere.open("search/index.html?q=magnesum")
    expect(page.locator("#results li").first).to_contain_text("magnesium")
    assert page.locator("#results li").count() > 20
    expect(page.locator("#_words")).to_have_value("magnesum")
    page.fill("#_words", "xyzzyq")
    page.keyboard.press("Enter")
    expect(page.locator("#results [role=status]")).to_have_text("Nothing found for “xyzzyq”")


def test_the_last_line_leads_to_all_results(visit: Visit) -> None:
    page = visit.open("id/magnesium.html")
    assert options(page, "magnesium")[-1].startswith("All ")
    page.locator("[role=option]").last.click()
    page.wait_for_url("**/search/index.html?q=magnesium")


def test_the_index_is_loaded_when_the_box_is_used(visit: Visit) -> None:
    loaded: list[str] = []
    visit.page.on("request", lambda found: loaded.append(found.url.rpartition("/")[2]))
    page = visit.open("index.html")
    page.wait_for_timeout(100)
    assert "entries.js" not in loaded
    page.focus("#_q")
    page.wait_for_timeout(100)
    assert loaded.count("entries.js") == 1


def test_hostile_names_stay_text(browser: Browser, site: Path) -> None:
    entry = [
        "id/magnesium.html",
        HOSTILE,
        HOSTILE,
        [HOSTILE + " alias"],
        "id:magnesium",
        [HOSTILE, 2, "negated hedged", HOSTILE],
    ]
    script = f"globalThis.kgbuildEntries={json.dumps([entry])};"
    with served(site) as root:
        context = browser.new_context()
        context.route("**/entries.js", lambda route: route.fulfill(body=script, content_type="text/javascript"))
        visit = Visit(context.new_page(), root)
        visit.watch()
        page = visit.open("search/index.html?q=alert")
        expect(page.locator("#results li")).to_contain_text(HOSTILE)
        assert "Negated" in options(page, "alert")[0]
        assert page.locator("#results img, #results script, header img, header script").count() == 0
        context.close()
    assert (visit.outside, visit.complaints) == ([], [])


def test_without_scripts_the_box_leads_to_a_page_that_says_where_to_look(browser: Browser, site: Path) -> None:
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(f"{site.as_uri()}/index.html")
    page.fill("#_q", "magnesium")
    page.keyboard.press("Enter")
    page.wait_for_url("**/search/index.html?q=magnesium")
    page.click("text=all entities by category")
    page.wait_for_url("**/id/index.html")
    context.close()
