"""The search: by names in every language, with misspelt words, by keyboard, from disk and over HTTP."""

from __future__ import annotations

import gzip
import json
import re
from pathlib import Path

import pytest
from browsing import Visit, served, watched
from playwright.sync_api import Browser, Page, expect
from servers import copy_project

from kgbuild.building import build
from kgbuild.compilation import Compilation
from kgbuild.site.indexing import can_index, index_files
from kgbuild.site.scripts import web_files

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
    expect(page.locator("#_results li").first).to_contain_text("magnesium")
    assert page.locator("#_results li").count() > 20
    expect(page.locator("#_words")).to_have_value("magnesum")
    page.fill("#_words", "xyzzyq")
    page.keyboard.press("Enter")
    expect(page.locator("#_results [role=status]")).to_have_text("Nothing found for “xyzzyq”")


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
        expect(page.locator("#_results li")).to_contain_text(HOSTILE)
        assert "Negated" in options(page, "alert")[0]
        assert page.locator("#_results img, #_results script, header img, header script").count() == 0
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


@pytest.fixture(scope="module")
def parted(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build the article's site as if it were a large one, with an index made at build time."""
    if not (can_index() and web_files()):
        pytest.skip("Pagefind is not installed, or the scripts were not made: pip install 'kgbuild[search]'")
    root = copy_project(tmp_path_factory.mktemp("parted"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("kgbuild.site.plan.INDEXED", 50)
        build(root)
    return root / "build" / "site"


def test_a_large_site_is_searched_in_parts_over_http(parted: Path, browser: Browser) -> None:
    with served(parted) as root, watched(browser, root) as visit:
        page = visit.open("claim/index.html")
        asked: list[str] = []
        page.on("request", lambda request: asked.append(request.url))
        page.keyboard.press("/")
        found = options(page, "willis")
        assert found[0].startswith("restless legs syndrome")
        assert "also called Willis-Ekbom disease" in found[0]
        assert any("search/pagefind/index/" in url for url in asked)
        assert not any(url.endswith("entries.js") for url in asked)
        page.fill("#_q", "evidence contribute")
        claim = page.locator("[role=option]").filter(has_text="Probable").first
        expect(claim).to_contain_text("sentence 33")
        page.keyboard.press("Enter")
        expect(page).to_have_url(re.compile("/claim/magnesium-rls/"))
        page = visit.open("search/index.html?q=magnesium")
        expect(page.locator("#_results [role=status]")).to_contain_text("found for")
        assert page.locator("#_results li").count() > 20


def test_a_large_site_is_searched_from_disk_too(parted: Path, browser: Browser) -> None:
    with watched(browser, f"{parted.as_uri()}/") as visit:
        page = visit.open("index.html")
        assert options(page, "restles legs")[0].startswith("restless legs syndrome")


def test_the_index_in_parts_has_the_same_bytes(parted: Path) -> None:
    text = (parted / "search" / "entries.js").read_text("utf-8")
    entries = json.loads(text.removeprefix("globalThis.kgbuildEntries=").rstrip().removesuffix(";"))
    made = index_files(entries)
    assert made == {path: (parted / "search" / "pagefind" / path).read_bytes() for path in made}
    assert {"pagefind.js", "pagefind-entry.json", "wasm.unknown.pagefind"} <= made.keys()


def test_hostile_names_stay_text_in_the_index_in_parts() -> None:
    if not can_index():
        pytest.skip("Pagefind is not installed: pip install 'kgbuild[search]'")
    path = next(path for path in index_files([("a.html", HOSTILE, "<b>", [HOSTILE], '"', None)]) if "fragment" in path)
    made = index_files([("a.html", HOSTILE, "<b>", [HOSTILE], '"', None)])[path]
    document = json.loads(gzip.decompress(made).removeprefix(b"pagefind_dcd"))
    assert json.loads(document["meta"]["entry"]) == ["a.html", HOSTILE, "<b>", [HOSTILE], '"', None]
