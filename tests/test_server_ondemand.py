"""Pages of a graph that is too large for a page of each thing: a server makes them, with the words of the static site."""

from __future__ import annotations

import importlib.util
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pyoxigraph as ox
import pytest
from rdflib import Graph
from rdflib.compare import isomorphic
from servers import ROOT, Server, copy_project, serving

from kgbuild import excerpts
from kgbuild.building import build

if TYPE_CHECKING:
    from kgbuild.compilation import Compilation
    from kgbuild.excerpts import Excerpt

THINGS = (
    "id/kale",
    "id/restless-legs-syndrome",
    "id/magnesium",
    "claim/magnesium-rls/c002",
    "claim/magnesium-rls/c043",
    "claim/magnesium-rls/c094",
    "article/magnesium-rls",
)


@pytest.fixture(scope="module")
def sparse(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build the article's project with a limit that it exceeds."""
    root = copy_project(tmp_path_factory.mktemp("sparse"))
    settings = root / "pyproject.toml"
    settings.write_text(
        settings.read_text("utf-8").replace("[tool.kgbuild]\n", "[tool.kgbuild]\npages = 99\n"), "utf-8"
    )
    made = build(root)
    assert any("`pages` allows 99; `kgbuild serve` makes them" in note for note in made.notes)
    return root


@pytest.fixture(scope="module")
def served(sparse: Path) -> Iterator[Server]:
    with serving(sparse) as running:
        yield running


def content(page: str) -> str:
    """Return what a page says beside its frame, without what only a static site has, and where it has statements."""
    main = page.partition('<main id="_main"')[2].partition("</main>")[0]
    main = re.sub(r'(dataset/[\w-]+)(?:\.html#|/)([\w-]+?)(?:\.html)?"', r'\1 \2"', main)
    return re.sub(r' <a href="\.\./graph\.html">The whole graph</a>', "", main)


def test_the_folder_has_no_page_of_a_thing_and_says_so(sparse: Path) -> None:
    site = sparse / "build" / "site"
    pages = {path.relative_to(site).as_posix() for path in site.rglob("*.html")}
    assert {path for path in pages if path.startswith(("id/", "claim/", "article/"))} == {
        "id/index.html",
        "claim/index.html",
        "article/index.html",
    }
    assert {"index.html", "about.html", "ns.html", "downloads.html", "report.html", "query/foods.html"} <= pages
    assert "kgbuild serve" in (site / "id/index.html").read_text("utf-8")
    assert "server of this graph" in (site / "llms.txt").read_text("utf-8")
    assert not (site / "np").exists()


def test_its_first_page_counts_the_whole_graph(sparse: Path, site: Path) -> None:
    here, there = ((folder / "index.html").read_text("utf-8") for folder in (sparse / "build" / "site", site))
    figures = re.compile(r'<dl class="figures">.*?</dl>', re.DOTALL)
    tally = re.compile(r'<table class="tally">.*?</table>', re.DOTALL)
    for part in (figures, tally):
        assert part.findall(here)
        assert part.findall(here) == part.findall(there)
    assert 'href="claim/' not in here.replace('href="claim/index.html"', "")


@pytest.mark.parametrize("thing", THINGS)
def test_a_page_made_on_demand_says_what_the_static_one_says(served: Server, site: Path, thing: str) -> None:
    got = served.ask(f"{thing}.html")
    assert (got.status, got.headers["content-type"]) == (200, "text/html; charset=utf-8")
    assert content(got.text) == content((site / f"{thing}.html").read_text("utf-8"))
    assert served.ask(f"{thing}.html", if_none_match=got.headers["etag"]).status == 304


@pytest.mark.parametrize("thing", ["id/kale", "claim/magnesium-rls/c043", "article/magnesium-rls"])
def test_data_made_on_demand_are_those_of_the_static_site(served: Server, site: Path, thing: str) -> None:
    got, static = Graph(), Graph()
    got.parse(data=served.ask(f"{thing}.ttl").text, format="turtle")
    static.parse(site / f"{thing}.ttl", format="turtle")
    assert len(static) > 10
    if thing.startswith("article"):  # beside the record stand the sentences, and the claims on them
        assert set(static) <= set(got)
    else:
        assert isomorphic(got, static)
    assert served.ask(f"{thing}.jsonld").json()["@context"]
    assert served.ask(f"{thing}.nt").headers["content-type"].startswith("application/n-triples")


def test_a_nanopublication_is_whole(served: Server, site: Path) -> None:
    name = sorted(path.stem for path in (site / "np").glob("*.trig"))[0]
    got = served.ask(f"np/{name}", accept="application/trig")
    assert got.status == 200
    static = (site / "np" / f"{name}.trig").read_bytes()
    assert set(ox.parse(got.body, ox.RdfFormat.TRIG)) == set(ox.parse(static, ox.RdfFormat.TRIG))
    page = served.ask(f"np/{name}", accept="text/html")
    assert page.status == 303
    assert served.ask(page.headers["location"].lstrip("/")).status == 200


def test_an_iri_leads_to_its_page_and_to_data(served: Server) -> None:
    assert served.ask("id/kale", accept="text/html").headers["location"] == "/id/kale.html"
    assert served.ask("id/kale", accept="text/turtle").headers["location"] == "/id/kale.ttl"
    assert served.ask("id/no-such-thing", accept="text/html").status == 404
    assert served.ask("id/no-such-thing.html").status == 404
    assert served.ask("id/kale.7.html").status == 404


def test_all_links_of_a_page_lead_somewhere(served: Server) -> None:
    for thing in ("id/kale", "claim/magnesium-rls/c043"):
        page = served.ask(f"{thing}.html").text
        folder = thing.rpartition("/")[0]
        links = {link for link in re.findall(r' href="([^"#]+)', page) if "://" not in link}
        assert links
        for link in sorted(links):
            path = (Path("/") / folder / link).as_posix()
            parts: list[str] = []
            for part in path.split("/"):
                parts = parts[:-1] if part == ".." else [*parts, part] if part else parts
            assert served.ask("/".join(parts)).status == 200, link


def test_the_list_of_entities_is_made_by_a_server(served: Server) -> None:
    page = served.ask("id/").text
    assert 'href="../id/kale.html"' in page
    assert "99" in page
    assert served.ask("id/index.2.html").status == 404


def test_statements_and_records_of_datasets_have_pages(served: Server, server: Server) -> None:
    found = served.query("SELECT ?s { ?s a kgb:DatasetStatement } ORDER BY ?s LIMIT 1").json()
    path = found["results"]["bindings"][0]["s"]["value"].removeprefix("https://w3id.org/magnesium-rls/")
    for running in (served, server):
        assert running.ask(path, accept="text/html").headers["location"] == f"/{path}.html"
        page = running.ask(f"{path}.html").text
        assert "not an article" in page
        assert "Taken from" in page
        assert "kgb:DatasetStatement" in running.ask(f"{path}.ttl").text


@pytest.fixture(scope="module")
def many(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make a project in which one thing is named by more claims than a page shows, and build its site."""
    spec = importlib.util.spec_from_file_location("pages", ROOT / "benchmarks" / "pages.py")
    assert spec is not None
    assert spec.loader is not None
    generator = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(generator)
    root = tmp_path_factory.mktemp("many")
    generator.make(root, 16, 900)
    build(root)
    return root


def claims_on(page: str) -> list[str]:
    """Return the claims whose cards a page shows, without those of navigation."""
    return re.findall(r'<p class="statement"><a href="[^"]*(claim/[\w/-]+)\.html"', page)


def busiest(site: Path) -> str:
    return min(path.name.partition(".")[0] for path in (site / "id").glob("*.2.html") if path.name != "index.2.html")


def test_a_long_list_goes_over_pages_that_lead_to_each_other(many: Path) -> None:
    site = many / "build" / "site"
    slug = busiest(site)
    first, second = ((site / "id" / f"{slug}{part}.html").read_text("utf-8") for part in ("", ".2"))
    assert f'<a rel="next" href="../id/{slug}.2.html">' in first
    assert f'<a rel="prev" href="../id/{slug}.html">' in second
    assert 'aria-current="page">2</a>' in second
    assert "Numbers 201 to" in second
    one, two = set(claims_on(first)), set(claims_on(second))
    assert len(one) == 200
    assert two
    assert not one & two
    total = re.search(r"([\d,]+) claims name", first)
    assert total is not None
    assert len(one | two) == int(total[1])
    listed = [claims_on(path.read_text("utf-8")) for path in sorted((site / "claim").glob("index*.html"))]
    assert [len(page) for page in listed].count(200) == 4
    assert len({claim for page in listed for claim in page}) == 900
    asserted = {
        claim for path in (site / "browse").glob("certainty-*.html") for claim in claims_on(path.read_text("utf-8"))
    }
    assert len(asserted) == 900


def test_a_server_makes_the_same_pages_of_a_long_list(many: Path, tmp_path: Path) -> None:
    static = many / "build" / "site"
    root = shutil.copytree(many, tmp_path / "sparse", ignore=shutil.ignore_patterns("build"))
    with (root / "kgbuild.toml").open("a") as settings:
        settings.write("pages = 1\n")
    build(root)
    slug = busiest(static)
    with serving(root) as running:
        for path in (f"id/{slug}.html", f"id/{slug}.2.html"):
            assert content(running.ask(path).text) == content((static / path).read_text("utf-8"))
        first = running.ask(f"id/{slug}.ttl")
        assert first.headers["kgbuild-limit"] == "part"
        assert f'</id/{slug}.2.ttl>; rel="next"' in first.headers["link"]
        parts = [Graph().parse(data=running.ask(f"id/{slug}{part}.ttl").text, format="turtle") for part in ("", ".2")]
        whole = Graph().parse(static / "id" / f"{slug}.ttl", format="turtle")
        assert set(parts[0]) | set(parts[1]) >= set(whole)


def test_an_article_of_dense_claims_has_fewer_sentences_on_a_page(
    compilation: Compilation, monkeypatch: pytest.MonkeyPatch
) -> None:
    project = compilation.project

    def page(number: int) -> Excerpt | None:
        asking = excerpts.about_article(project.base, "magnesium-rls", number)
        return excerpts.ask(asking, compilation.store, project.prefixes)

    whole = page(1)
    assert whole is not None
    assert (whole.portion.pages, len(whole.named)) == (1, len(compilation.sources.claims))
    monkeypatch.setattr(excerpts, "CLAIMS", 12)
    first = page(1)
    assert first is not None
    pages = [page(number) for number in range(1, first.portion.pages + 1)]
    assert len(pages) > 5
    assert {claim for part in pages if part for claim in part.named} == set(whole.named)
    assert max(len(part.named) for part in pages if part) < 40
    assert page(len(pages) + 1) is None
