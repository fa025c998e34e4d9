"""The workbench: a query asked in the page gives what the command line gives, from disk and over HTTP."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import pyoxigraph as ox
import pytest
from axe_playwright_python.sync_playwright import Axe
from browsing import Visit, served
from playwright.sync_api import Browser, Page, expect

from kgbuild import building
from kgbuild.compilation import Compilation
from kgbuild.diagnostics import Report
from kgbuild.queries import Query, read_queries, results_json
from kgbuild.site import scripts
from kgbuild.store import Answer, Graph

ROOT = Path(__file__).parents[1]
ENDLESS = "SELECT (COUNT(*) AS ?n) WHERE { ?a ?b ?c . ?d ?e ?f . ?g ?h ?i }"

BROKEN = "SELECT ?s WHERE {\n  ?s a kgb:Claim .\n  ?s nope:x ?o .\n}"


def workbench(visit: Visit, told: str) -> Page:
    page = visit.open(f"workbench/index.html#{told}")
    expect(page.locator("#workbench")).to_be_visible()
    return page


def run(page: Page) -> str:
    """Run the query that is there, and return what the page says of it."""
    page.click("#run")
    page.wait_for_selector("#stop:disabled", timeout=20_000)
    return page.inner_text("#status")


def kept(page: Page, form: str) -> str:
    """Return the answer as the page gives it to keep."""
    with page.expect_download() as found:
        page.get_by_role("button", name=form, exact=True).click()
    return Path(found.value.path()).read_bytes().decode()


def bindings(text: str) -> list[str]:
    return sorted(json.dumps(row, sort_keys=True) for row in json.loads(text)["results"]["bindings"])


def asked(compilation: Compilation) -> Iterator[tuple[Query, Answer]]:
    prefixes = compilation.project.prefixes
    for query in read_queries(compilation.project, Report()):
        yield query, compilation.store.query(query.replayed(prefixes), prefixes)


ASK_ALL = """async (name) => {
  const one = (selector) => document.querySelector(selector);
  one("#example").value = name;
  one("#example").dispatchEvent(new Event("change"));
  one("#run").click();
  while (!one("#stop").disabled) await new Promise((done) => setTimeout(done, 5));
  const [make, click] = [URL.createObjectURL, HTMLAnchorElement.prototype.click];
  let kept;
  URL.createObjectURL = (blob) => ((kept = blob), "blob:kept");
  HTMLAnchorElement.prototype.click = () => {};
  one("#files button:last-child")?.click();
  [URL.createObjectURL, HTMLAnchorElement.prototype.click] = [make, click];
  const [said, answer] = [one("#status").textContent, one("#answer").textContent];
  return { said, answer, kept: await kept?.text(), rows: document.querySelectorAll("#answer tbody tr").length };
}"""
"""Ask one of the questions and return what the page says, shows and gives to keep, in one step for speed."""


def test_the_questions_get_the_answers_of_the_command_line(anywhere: Visit, compilation: Compilation) -> None:
    page = workbench(anywhere, "")
    for query, answer in asked(compilation):
        made = page.evaluate(ASK_ALL, query.name)
        if isinstance(answer, bool):
            assert made["answer"] == f"{'Yes' if answer else 'No'}, so far as the graph goes.", query.name
        elif isinstance(answer, Graph):
            triples = {quad.triple for quad in ox.parse(made["kept"], ox.RdfFormat.TURTLE)}
            assert triples == set(answer.triples), query.name
            assert made["said"].startswith(f"{len(answer.triples):,} triple"), query.name
        else:
            assert bindings(made["kept"]) == bindings(results_json(answer).decode()), query.name
            assert made["rows"] == len(answer.rows), query.name


def test_a_parameter_is_filled_in_as_on_the_command_line(visit: Visit, compilation: Compilation) -> None:
    page = workbench(visit, "name=claims-about&entity=id:calcium")
    run(page)
    (query,) = (query for query in read_queries(compilation.project, Report()) if query.name == "claims-about")
    prefixes = compilation.project.prefixes
    answer = compilation.store.query(query.sparql(prefixes, {"entity": "id:calcium"}), prefixes)
    assert bindings(kept(page, "JSON")) == bindings(results_json(answer).decode())
    assert page.url.endswith("#name=claims-about&entity=id%3Acalcium")
    page.fill("#parameters input", "no iri")
    page.press("#parameters input", "Enter")
    expect(page.locator("#status")).to_contain_text("“no iri” is no IRI")


def test_an_answer_shows_labels_that_lead_to_pages(visit: Visit) -> None:
    page = workbench(visit, "name=foods")
    run(page)
    page.locator("#answer").get_by_role("link", name="spinach", exact=True).first.click()
    page.wait_for_url("**/id/spinach.html")


def test_a_claim_in_an_answer_keeps_its_certainty_and_source(visit: Visit) -> None:
    page = workbench(visit, f"query={quote('SELECT ?claim { ?claim kgb:certainty kgb:certainty-possible }')}")
    assert "row" in run(page)
    for card in page.locator("#answer .claim").all():
        expect(card).to_contain_text("Possible")
        expect(card).to_contain_text("Hedged")
        expect(card).to_contain_text("MyPinsOnline, sentence")


def test_stop_stops_and_the_next_query_is_answered(visit: Visit) -> None:
    page = workbench(visit, f"query={quote(ENDLESS)}")
    page.click("#run")
    expect(page.locator("#status")).to_contain_text("Asking", timeout=10_000)
    page.wait_for_timeout(200)
    page.click("#stop")
    expect(page.locator("#status")).to_have_text("Stopped.", timeout=500)
    page.select_option("#example", "foods")
    assert "row" in run(page)


def test_a_run_while_another_runs_takes_its_place(visit: Visit) -> None:
    page = workbench(visit, f"query={quote(ENDLESS)}")
    page.click("#run")
    expect(page.locator("#status")).to_contain_text("Asking", timeout=10_000)
    page.select_option("#example", "foods")
    assert "row" in run(page)


def test_an_error_stands_at_its_line(visit: Visit) -> None:
    page = workbench(visit, f"query={quote(BROKEN)}")
    assert run(page) == "Line 3, column 12: the prefix is not declared"
    expect(page.locator("#editor .cm-line").nth(2).locator(".cm-lintRange-error")).to_have_text("nope:x")


def test_an_error_behind_a_parameter_is_counted_as_written(visit: Visit) -> None:
    page = workbench(visit, "name=claims-about")
    page.locator("#editor .cm-content").click()
    page.keyboard.press("Control+End")
    page.keyboard.insert_text("nonsense")
    last = page.locator("#editor .cm-line").count()
    assert run(page).startswith(f"Line {last}, column ")


def test_a_label_or_an_alias_finds_its_term_and_brings_its_prefix(visit: Visit) -> None:
    page = workbench(visit, f"query={quote('SELECT * WHERE { ?s ?p ')}")
    page.locator("#editor .cm-content").click()
    page.keyboard.press("Control+End")
    page.keyboard.type("willis")
    expect(page.locator("#editor .cm-tooltip-autocomplete li").first).to_contain_text("restless legs syndrome")
    page.wait_for_timeout(100)  # the editor ignores Enter for a moment, so that nothing is chosen by accident
    page.keyboard.press("Enter")
    lines = page.locator("#editor .cm-line").all_inner_texts()
    assert lines[0] == "PREFIX id: <https://w3id.org/magnesium-rls/id/>"
    assert lines[1].endswith("?p id:restless-legs-syndrome")
    page.keyboard.type(" }")
    page.keyboard.press("Control+Enter")
    expect(page.locator("#status")).to_contain_text("rows", timeout=10_000)


def test_a_query_behind_a_question_mark_is_read_too(visit: Visit) -> None:
    page = visit.open(f"workbench/index.html?query={quote('ASK { ?claim a kgb:Claim }')}")
    run(page)
    expect(page.locator("#answer")).to_have_text("Yes, so far as the graph goes.")


def test_service_is_refused_in_plain_words(visit: Visit) -> None:
    page = workbench(visit, f"query={quote('SELECT * { SERVICE <https://example.org/> { ?s ?p ?o } }')}")
    page.click("#run")
    expect(page.locator("#status")).to_contain_text("SERVICE asks other servers; this page asks none")


def test_an_update_is_refused_in_plain_words(visit: Visit) -> None:
    page = workbench(visit, f"query={quote('PREFIX a: <a:> # SELECT' + chr(10) + 'INSERT DATA { a:b a:c a:d }')}")
    page.click("#run")
    expect(page.locator("#status")).to_have_text("An update changes data; here one can only ask.")


def test_the_page_of_a_question_opens_it_in_the_workbench(visit: Visit) -> None:
    page = visit.open("query/foods.html")
    page.click("text=Open in the workbench")
    expect(page.locator("#example")).to_have_value("foods")


def test_the_engine_is_loaded_on_demand(visit: Visit) -> None:
    loaded: list[str] = []
    visit.page.on("request", lambda found: loaded.append(found.url.rpartition("/")[2]))
    page = workbench(visit, "")
    page.wait_for_timeout(100)
    assert not {"engine.js", "data.js"} & set(loaded)
    run(page)
    assert {"engine.js", "data.js"} < set(loaded)


HOSTILE = '<img src=x onerror="alert(1)"></td><script>alert(2)</script>'


def test_hostile_values_stay_text(visit: Visit) -> None:
    query = (
        f"SELECT ?a ?b ?c {{ BIND('''{HOSTILE}''' AS ?a) BIND(IRI('javascript:alert(3)') AS ?b) BIND('=1+1' AS ?c) }}"
    )
    page = workbench(visit, f"query={quote(query)}")
    run(page)
    cells = page.locator("#answer td")
    expect(cells.nth(0)).to_have_text(HOSTILE)
    expect(cells.nth(1)).to_have_text("javascript:alert(3)")
    assert page.locator("#answer a, #answer img, #answer script").count() == 0
    assert kept(page, "CSV").endswith(",javascript:alert(3),'=1+1\r\n")


def test_without_scripts_the_page_says_where_to_go(browser: Browser, site: Path) -> None:
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(f"{site.as_uri()}/workbench/index.html")
    expect(page.locator("main")).to_contain_text("The workbench needs JavaScript")
    expect(page.locator("#workbench")).to_be_hidden()
    context.close()


@pytest.mark.parametrize(("width", "scheme"), [(1280, "light"), (390, "dark")])
def test_the_pages_are_accessible_and_fit_the_screen(browser: Browser, site: Path, width: int, scheme: str) -> None:
    context = browser.new_context(
        viewport={"width": width, "height": 900},
        color_scheme="dark" if scheme == "dark" else "light",
        bypass_csp=True,
    )
    with served(site) as root:
        visit = Visit(context.new_page(), root)
        page = workbench(visit, "name=foods")
        run(page)
        assert_fits(page)
        page.fill("#_q", "magnesium")
        expect(page.locator("[role=option]").first).to_be_visible()
        assert_fits(page)
        visit.open("search/index.html?q=magnesium")
        expect(page.locator("#_results li").first).to_be_visible()
        assert_fits(page)
    context.close()


def assert_fits(page: Page) -> None:
    found = Axe().run(page)
    faults = [(fault["id"], [node["target"] for node in fault["nodes"]]) for fault in found.response["violations"]]
    assert faults == []
    assert not page.evaluate("document.documentElement.scrollWidth > document.documentElement.clientWidth")


# What the build does


def test_a_site_without_scripts_says_so_and_holds_no_trace(
    compilation: Compilation, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(scripts, "web_files", dict)
    monkeypatch.setattr(building, "web_files", dict)
    plan = building.plan_build(compilation)
    assert any(note.startswith("the site is without search, workbench and fonts: ") for note in plan.notes)
    assert not [path for path in plan.files if path.startswith(("search/", "workbench/", "fonts/"))]
    assert not [path for path, data in plan.files.items() if path.endswith(".html") and b"workbench/" in data]


def test_too_many_statements_leave_the_workbench_out_with_a_note(
    compilation: Compilation, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not scripts.web_files():
        pytest.skip("search and workbench were not made when kgbuild was installed")
    monkeypatch.setattr(scripts, "WORKBENCH_QUADS", 1000)
    plan = building.plan_build(compilation)
    assert any(note.startswith("the site is without a workbench: ") for note in plan.notes)
    assert "search/index.html" in plan.files
    assert not [path for path in plan.files if path.startswith("workbench/")]
    assert not [path for path, data in plan.files.items() if path.endswith(".html") and b"workbench/" in data]


def test_too_many_claims_are_not_searched_with_a_note(
    compilation: Compilation, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not scripts.web_files():
        pytest.skip("search and workbench were not made when kgbuild was installed")
    monkeypatch.setattr(scripts, "SEARCHED", 150)
    plan = building.plan_build(compilation)
    assert any(note.startswith("the search of the site finds no claims: ") for note in plan.notes)
    assert b"too many to be searched" in plan.files["search/index.html"]
    assert b"c001.html" not in plan.files["search/entries.js"]
    assert b'"claim/magnesium-rls/c001":' in plan.files["workbench/graph.js"]
