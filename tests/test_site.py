"""The site: every page is valid, safe, reachable, and shows no claim without its certainty, source and place."""

from __future__ import annotations

import gzip
import json
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from functools import cache
from itertools import pairwise
from pathlib import Path
from xml.etree import ElementTree

import html5lib
import pytest

from kgbuild.compilation import compile_project
from kgbuild.diagnostics import Diagnostic, Report, Severity, Span
from kgbuild.project import Project
from kgbuild.site.links import check_links, pages_by_path
from kgbuild.site.pictures import Chord, Node, Spoke, ego, ring
from kgbuild.site.plan import Download, Page, QueryPage, SiteInput, answer_formats, claim_path, entity_path, plan_site
from kgbuild.store import OxigraphStore
from kgbuild.validate import Shapes
from kgbuild.views import Views

ROOT = Path(__file__).parents[1]
FORMATS = (("ttl", "Turtle"), ("jsonld", "JSON-LD"))
NAMED = {"canonical", "cite-as", "license", "type"}
"""Kinds of links that say what a page is; no browser fetches them."""
QUERIES = {
    "hedged": "SELECT ?claim ?text ?rank WHERE { ?claim kgb:certainty/kgb:rank ?rank ; rdfs:label ?text }",
    "sources": "SELECT ?food WHERE { ?food mr:sourceOf id:magnesium }",
    "asked": "ASK { ?s a kgb:Claim }",
    "graph": "CONSTRUCT { ?s rdfs:label ?label } WHERE { ?s a kgb:Claim ; rdfs:label ?label }",
    "empty": "SELECT ?s WHERE { ?s a <http://example.org/Nothing> }",
}


def queries(store: OxigraphStore, project: Project) -> tuple[QueryPage, ...]:
    return tuple(
        QueryPage(name, name, f"What is {name}?", text, (("x", "1", "a number"),), store.query(text, project.prefixes))
        for name, text in sorted(QUERIES.items())
    )


@cache
def real() -> SiteInput:
    made = compile_project(ROOT)
    project = made.project
    return SiteInput(
        project=project,
        views=Views(made.store, project.base, project.prefixes),
        queries=queries(made.store, project),
        downloads=(Download("data/x.trig", "TriG", "application/trig", 1234, "all graphs"),),
        shapes=made.shapes,
        findings=tuple(made.report.sorted()),
        engine=made.engine,
        triples=made.nquads.count(b"\n"),
        formats=FORMATS,
    )


@cache
def real_pages() -> dict[str, bytes]:
    return {page.path: page.content for page in plan_site(real())}


def beside(site: SiteInput) -> list[str]:
    """List the files that a build writes beside the pages."""
    files = ["ns.ttl", *(item.path for item in site.downloads)]
    for query in site.queries:
        files += [f"query/{query.name}.{extension}" for extension, _ in answer_formats(query.answer)]
    for extension, _ in FORMATS:
        files += [entity_path(entity.slug)[:-4] + extension for entity in site.views.entities]
        files += [f"article/{article.id}.{extension}" for article in site.views.articles]
        files += [claim_path(claim.key)[:-4] + extension for claim in site.views.claims]
        files += [f"dataset/{dataset.id}.{extension}" for dataset in site.views.datasets]
    files += [claim_path(claim.key)[:-4] + "trig" for claim in site.views.claims]
    files += [
        f"np/{claim.nanopublication.rsplit('/', 1)[-1]}.trig" for claim in site.views.claims if claim.nanopublication
    ]
    return files


def parse(content: bytes) -> None:
    """Parse a page; raise an error at the first fault."""
    html5lib.HTMLParser(strict=True).parse(content, transport_encoding="utf-8")


def html(pages: dict[str, bytes]) -> Iterator[tuple[str, str]]:
    return ((path, content.decode()) for path, content in pages.items() if path.endswith(".html"))


def main(text: str) -> str:
    return text.partition("<main")[2].partition("</main>")[0]


# What the real project becomes


def test_every_page_is_planned() -> None:
    views = real().views
    expected = {"index.html", "id/index.html", "claim/index.html", "article/index.html", "query/index.html", "404.html"}
    expected |= {"ns.html", "report.html", "downloads.html", "about.html", "style.css", "favicon.svg"}
    expected |= {"graph.html", "graph.css", "evidence.html", "contradictions.html", "browse/index.html"}
    expected |= {"llms.txt", "feed.xml", "poster.svg"}
    expected |= {path for path in real_pages() if path.startswith("browse/")}
    expected |= {f"id/{entity.slug}.html" for entity in views.entities}
    expected |= {f"claim/{claim.key}.html" for claim in views.claims}
    expected |= {f"article/{article.id}.html" for article in views.articles}
    expected |= {f"query/{name}.html" for name in QUERIES}
    expected |= {"dataset/index.html", *(f"dataset/{dataset.id}.html" for dataset in views.datasets)}
    assert set(real_pages()) == expected


def test_pages_come_in_the_order_of_their_paths() -> None:
    assert list(real_pages()) == sorted(real_pages())


def test_same_input_same_bytes() -> None:
    site = real()
    again = Views(site.views.store, site.views.base, site.views.prefixes)
    assert {page.path: page.content for page in plan_site(replace(site, views=again))} == real_pages()


def test_every_page_is_valid_html() -> None:
    for path, text in html(real_pages()):
        try:
            parse(text.encode())
        except html5lib.html5parser.ParseError as error:
            pytest.fail(f"{path}: {error}")


def test_all_links_and_fragments_resolve() -> None:
    report = Report()
    check_links(real_pages(), beside(real()), report)
    assert [finding.message for finding in report.sorted()] == []


def test_identifiers_are_unique_on_each_page() -> None:
    for path, text in html(real_pages()):
        doubled = [name for name, count in Counter(re.findall(r'\sid="([^"]*)"', text)).items() if count > 1]
        assert not doubled, path


def test_headings_start_with_one_h1_and_skip_no_level() -> None:
    for path, text in html(real_pages()):
        levels = [int(level) for level in re.findall(r"<h([1-6])[ >]", text)]
        assert (levels[0], levels.count(1)) == (1, 1), path
        assert all(after <= before + 1 for before, after in pairwise(levels)), (path, levels)


def without_data(text: str) -> str:
    """Take out the data block of a page, which no browser runs, and check that it is JSON that cannot end early."""
    blocks = re.findall(r'<script type="application/ld\+json">(.*?)</script>', text, re.DOTALL)
    assert len(blocks) <= 1
    for block in blocks:
        assert not {"<", ">", "&", "\u2028", "\u2029"} & set(block)
        assert json.loads(block)["@context"] == "https://schema.org"
        text = text.replace(f'<script type="application/ld+json">{block}</script>', "")
    return text


def test_nothing_is_fetched_and_nothing_runs() -> None:
    for path, text in html(real_pages()):
        assert not re.search(r"<(script|iframe|object|embed|img|form|base)\b", without_data(text)), path
        assert not re.search(r'\s(src|srcset|style|on[a-z]+)="', text), path
        for kind, link in re.findall(r'<link rel="([^"]*)"[^>]* href="([^"]*)"', text):
            assert kind in NAMED or not re.match(r"[a-z]+:|/", link), (path, link)
    assert not re.search(rb"url\(|@import", real_pages()["style.css"])


def test_every_page_carries_policy_language_title_and_notice() -> None:
    for path, text in html(real_pages()):
        assert "default-src 'none'" in text, path
        assert '<html lang="en">' in text, path
        assert re.search(r"<title>[^<]+</title>", text), path
        assert re.search(r'name="description" content="[^"]+"', text), path
        assert text.count("edical advice") >= 2, path
        assert "MyPinsOnline" in text, path
        assert 'class="skip" href="#_main"' in text, path


def test_titles_are_unique() -> None:
    titles = Counter(re.search(r"<title>([^<]*)</title>", text)[1] for _, text in html(real_pages()))  # type: ignore[index]
    statements = Counter(claim.statement for claim in real().views.claims)
    assert [title for title, count in titles.items() if count > 1 and max(statements.values()) == 1] == []


def test_tables_have_captions_and_scopes() -> None:
    for path, text in html(real_pages()):
        assert text.count("<table") == text.count("<caption"), path
        assert not re.search(r"<th(?![^>]*scope=)[ >]", text), path


def cards(text: str) -> list[str]:
    return [part.partition("</div>")[0] for part in text.split('<div class="claim ')[1:]]


def test_every_link_with_a_statement_stands_in_a_card() -> None:
    statements = {claim.statement for claim in real().views.claims}
    for path, text in html(real_pages()):
        inside = sum(card.count('<p class="statement">') for card in cards(text))
        linked = [words for words in re.findall(r"<a [^>]*><bdi>([^<]*)</bdi></a>", main(text)) if words in statements]
        assert len(linked) <= inside, path


def test_every_card_tells_certainty_hedge_source_and_place() -> None:
    claims = {claim.statement: claim for claim in real().views.claims}
    seen = set()
    for path, text in html(real_pages()):
        for card in cards(text):
            statement = re.search(r'<p class="statement"><a [^>]*><bdi>([^<]*)</bdi>', card)
            assert statement, path
            claim = claims[re.sub("&#39;", "'", re.sub("&#34;", '"', statement[1]))]
            seen.add(claim.iri)
            assert re.search(rf'class="bar".*<b>{claim.certainty.label}</b>', card), path
            assert ("Hedged" in card, "Negated" in card) == (claim.hedged, claim.negated), path
            assert claim.attributed_to.label in card, path
            assert all(f"sentence {sentence.number}</a>" in card for sentence in claim.sentences), path
            assert all(qualifier.type.label in card for qualifier in claim.qualifiers), path
            assert ("Modality" in card) == (claim.modality.slug != "actual"), path
            assert ("Presupposed" in card, "Implied" in card) == (claim.presupposed, claim.implied), path
    assert seen == {claim.iri for claim in claims.values()}


def test_a_claim_page_shows_what_belongs_to_the_claim() -> None:
    for claim in real().views.claims:
        text = real_pages()[f"claim/{claim.key}.html"].decode()
        for words in (claim.certainty.definition, claim.basis.label, claim.nanopublication, claim.created, claim.iri):
            assert words in text, (claim.key, words)
        for sentence in claim.sentences:
            assert f"{sentence.start}–{sentence.end}" in text
            assert sentence.sha256 in text
        published = "Published in <code>graph/asserted</code>: the claim" in text
        licensed = published or "because another claim says the same" in text
        assert licensed == claim.plain, claim.key


def test_an_article_page_shows_every_sentence_and_its_claims() -> None:
    for article in real().views.articles:
        text = real_pages()[f"article/{article.id}.html"].decode()
        for section in article.sections:
            assert f'id="{section.id}"' in text
            for sentence in section.sentences:
                part = text.partition(f'id="s{sentence.number}">')[2].partition("</section>")[0]
                assert part.count('class="statement"') == len(article.claims_on(sentence))
                assert ("No claim is recorded" in part) == (not article.claims_on(sentence))


def test_the_vocabulary_page_answers_for_each_term() -> None:
    text = real_pages()["ns.html"].decode()
    for name in ("sourceOf", "Food", "relieves", "Claim", "certainty", "certainty-possible", "certaintyScheme"):
        assert f'id="{name}"' in text
    assert "Subject may be" in text
    assert "Close match" in text


def test_an_answer_names_a_claim_once_in_a_row_and_links_its_entities() -> None:
    hedged = real_pages()["query/hedged.html"].decode()
    assert hedged.count('class="statement"') == len(real().views.claims)
    assert '<a href="../id/almond.html"><bdi>' in real_pages()["query/sources.html"].decode()
    assert "<strong>Yes</strong>" in real_pages()["query/asked.html"].decode()
    assert "The answer is empty" in real_pages()["query/empty.html"].decode()


def test_findings_are_reported_with_their_place() -> None:
    finding = Diagnostic("S03", "one <modality> is missing", Span("data/a.yaml", 3, 5), Severity.WARNING, "add it")
    pages = {page.path: page.content.decode() for page in plan_site(replace(real(), findings=(finding,)))}
    for words in ("data/a.yaml:3:5", "one &lt;modality&gt; is missing", "add it", "1 finding</span>"):
        assert words in pages["report.html"]


# Pictures, facets, and what machines are told


def svg(text: str, kind: str) -> str:
    return text.partition(f'<svg class="net {kind}')[2].partition("</svg>")[0]


def test_a_picture_shows_who_surrounds_a_thing_and_how_surely() -> None:
    claims = [claim for claim in real().views.claims if claim.object.iri.endswith("/magnesium-deficiency")]
    drawn = svg(real_pages()["id/magnesium-deficiency.html"].decode(), "ego")
    around = {c.object for c in real().views.claims if c.subject.iri.endswith("/magnesium-deficiency")}
    around |= {claim.subject for claim in claims}
    assert drawn.count("<a href=") == len(around)
    for link in around:
        assert f'href="../id/{link.iri.rpartition("/")[2]}.html"' in drawn
    assert "3 claims, 3 hedged" in drawn
    assert 'class="hedged"' in drawn
    assert 'class="asserted"' not in drawn


def test_a_line_is_as_weak_as_its_weakest_claim_and_tells_source_and_place() -> None:
    claims = [claim for claim in real().views.claims if claim.object.kind == "entity"]
    joined = {(c.subject.iri, c.object.iri) for c in claims if c.subject.iri != c.object.iri}
    drawn = svg(real_pages()["graph.html"].decode(), "ring")
    edges = re.findall(r'<a class="edge ([a-z ]+) k\d+ k\d+" href="([^"]+)".*?<title>(.*?)</title>', drawn, re.DOTALL)
    assert len(edges) == len(joined)
    by_path = {f"claim/{claim.key}.html": claim for claim in claims}
    for kind, path, title in edges:
        first = by_path[path]
        pair = [c for c in claims if (c.subject.iri, c.object.iri) == (first.subject.iri, first.object.iri)]
        assert ("hedged" in kind, "negated" in kind) == (any(c.hedged for c in pair), any(c.negated for c in pair))
        assert "MyPinsOnline, sentence" in title


def test_every_line_of_the_graph_stands_in_the_table_too() -> None:
    text = real_pages()["graph.html"].decode()
    table = text.partition('<table class="joined">')[2]
    for path in re.findall(r'<a class="edge [^"]+" href="([^"]+)"', text):
        assert f'href="{path}"' in table


def test_each_facet_holds_each_claim_that_has_it() -> None:
    pages, claims = real_pages(), real().views.claims
    for facet in ("certainty", "said", "basis", "kind"):
        found = [text for path, text in html(pages) if path.startswith(f"browse/{facet}-")]
        doubled = sum(claim.hedged and claim.negated for claim in claims) if facet == "said" else 0
        assert sum(text.count('<p class="statement">') for text in found) == len(claims) + doubled, facet
    possible = pages["browse/certainty-possible.html"].decode()
    assert possible.count("<b>Possible</b>") == sum(claim.certainty.slug == "possible" for claim in claims)


def test_the_evidence_page_plots_each_food_with_the_verdict_on_its_claim() -> None:
    text = real_pages()["evidence.html"].decode()
    rows = re.findall(
        r"<tr>.*?</tr>", text.partition('<table class="profile measured">')[2].partition("</table>")[0], re.DOTALL
    )
    by_name = {re.findall(r"<bdi>([^<]*)</bdi>", row)[0]: row for row in rows if "<bdi>" in row}
    assert len(by_name) == 15
    assert 'class="over"' in by_name["almond"]
    assert ">270<" in by_name["almond"]
    assert 'class="under"' in by_name["banana"]
    assert "disputes" in by_name["banana"]
    values = [float(re.search(r">([0-9.]+)</a></td>", row)[1]) for row in by_name.values()]  # type: ignore[index]
    assert values == sorted(values, reverse=True)


def test_contradictions_show_both_sides_with_their_sources() -> None:
    disputed = {c.iri for c in real().views.claims if any(a.verdict.slug == "disputes" for a in c.alignments)}
    text = real_pages()["contradictions.html"].decode().partition('id="opposite"')[0]
    assert text.count('<article class="versus">') == len(disputed)
    for part in text.split('<article class="versus">')[1:]:
        assert '<p class="statement">' in part
        assert '<p class="origin">' in part


def test_a_page_says_where_it_stands_and_how_to_cite_it() -> None:
    base = real().project.base
    text = real_pages()["claim/magnesium-rls/c018.html"].decode()
    for link in (
        f'<link rel="canonical" href="{base}claim/magnesium-rls/c018.html">',
        f'<link rel="cite-as" href="{base}claim/magnesium-rls/c018">',
        '<link rel="alternate describedby" type="text/turtle" href="../../claim/magnesium-rls/c018.ttl" title="Turtle">',
        '<link rel="type" href="https://schema.org/Claim">',
        '<link rel="license" href="https://creativecommons.org/licenses/by/4.0/">',
        f'<meta property="og:image" content="{base}poster.svg">',
    ):
        assert link in text
    for path, page in html(real_pages()):
        assert (f'<link rel="canonical" href="{base}{path}">' in page) == (path != "404.html"), path


def test_the_feed_is_atom_and_holds_every_claim_with_its_certainty() -> None:
    space = "{http://www.w3.org/2005/Atom}"
    root = ElementTree.fromstring(real_pages()["feed.xml"])
    entries = root.findall(f"{space}entry")
    assert {entry.findtext(f"{space}id") for entry in entries} == {c.nanopublication for c in real().views.claims}
    for entry in (root, *entries):
        assert all(entry.findtext(space + name) for name in ("id", "title", "updated"))
    assert all("certainty:" in (entry.findtext(f"{space}summary") or "") for entry in entries)


def test_the_guide_for_language_models_says_how_to_quote_and_links_pages_that_exist() -> None:
    text = real_pages()["llms.txt"].decode()
    assert text.startswith("# Magnesium and restless legs syndrome\n\n> ")
    assert "not a fact" in text
    known = {*real_pages(), *beside(real())}
    for link in re.findall(r"\]\(([^)]*)\)", text):
        assert link.removeprefix(real().project.base) in known


def test_the_vocabulary_is_a_tree() -> None:
    text = real_pages()["ns.html"].decode().partition('id="_tree-1"')[2].partition("</section>")[0]
    substance = text.partition('<a href="#Substance">')[2].partition("</ul>")[0]
    assert '<a href="#Supplement">' in substance


@pytest.mark.parametrize("slug", ["magnesium", "restless-legs-syndrome"])
def test_an_entity_page_is_light(slug: str) -> None:
    pages = real_pages()
    wire = sum(len(gzip.compress(pages[path], 6)) for path in (f"id/{slug}.html", "style.css", "favicon.svg"))
    assert wire <= 60_000
    assert len(pages[f"id/{slug}.html"]) <= 80_000


# What hostile data becomes

BASE = "https://example.org/kg/"
KGB = "https://w3id.org/kgbuild/ns#"
RDF = "http://www.w3.org/1999/02/22-rdf-syntax-ns#"
RDFS = "http://www.w3.org/2000/01/rdf-schema#"
SKOS = "http://www.w3.org/2004/02/skos/core#"
ATTACK = "</title></bdi><script>alert(1)</script>\"' onload=x \\u202Eevil\\u0001\\uFFFE &amp;"
LONG = "x" * 10_000


def quads() -> str:
    """Spell a store that no compiler made: hostile labels, identifiers, IRIs and missing facets."""

    def text(words: str) -> str:
        return '"' + words.replace('"', '\\"') + '"'

    entity, claim, bare = f"{BASE}id/../../etc/passwd", f"{BASE}claim/a/c1", f"{BASE}claim/c?2#3"
    lines = [
        (entity, RDF + "type", f"<{KGB}Entity>"),
        (entity, RDFS + "label", text(ATTACK)),
        (entity, SKOS + "definition", text(LONG)),
        (entity, SKOS + "altLabel", text("\\u2067right to left")),
        (entity, SKOS + "broader", "<javascript:alert(1)>"),
        (f"{BASE}id/x", RDF + "type", f"<{KGB}Entity>"),
        (f"{BASE}id/x", RDFS + "label", text(LONG)),
        (f"{BASE}id/X", RDF + "type", f"<{KGB}Entity>"),
        (f"{BASE}id/X", RDFS + "label", text("")),
        (claim, RDF + "type", f"<{KGB}Claim>"),
        (claim, RDFS + "label", text(ATTACK + LONG)),
        (claim, RDF + "subject", f"<{entity}>"),
        (claim, RDF + "predicate", f"<{KGB}p>"),
        (claim, RDF + "object", "<javascript:alert(1)>"),
        (claim, KGB + "polarity", f"<{KGB}polarity-negated>"),
        (claim, KGB + "cue", text(ATTACK)),
        (claim, SKOS + "note", text(ATTACK)),
        (f"{KGB}polarity-negated", SKOS + "prefLabel", text("Negated")),
        (f"{KGB}polarity-negated", SKOS + "notation", text("negated")),
        (bare, RDF + "type", f"<{KGB}Claim>"),
        (f"{BASE}article/a", RDF + "type", f"<{KGB}Article>"),
        (f"{BASE}article/a", "http://purl.org/dc/terms/title", text(ATTACK)),
        (f"{BASE}article/a", RDFS + "label", text(ATTACK)),
        (f"{BASE}article/a", "http://purl.org/dc/terms/source", text("javascript:alert(2)")),
        (f"{BASE}m", RDF + "type", "<https://w3id.org/sssom/Mapping>"),
        (f"{BASE}m", "https://w3id.org/sssom/subject_id", f"<{entity}>"),
        (f"{BASE}m", "https://w3id.org/sssom/predicate_id", f"<{SKOS}exactMatch>"),
        (f"{BASE}m", "https://w3id.org/sssom/object_id", "<data:text/html,x>"),
        (f"{BASE}m", "https://w3id.org/sssom/object_label", text(ATTACK)),
    ]
    return "".join(f"<{subject}> <{predicate}> {value} .\n" for subject, predicate, value in lines)


def site_of(nquads: str, title: str = "A graph") -> SiteInput:
    store = OxigraphStore.of(nquads.encode())
    project = Project(ROOT, "kgbuild.toml", BASE, "ex", title, "https://example.org/licence")
    return SiteInput(
        project=project,
        views=Views(store, BASE, project.prefixes),
        queries=(
            QueryPage(
                "all", ATTACK, ATTACK, "SELECT * { ?s ?p ?o } # </code>", (), store.query("SELECT * { ?s ?p ?o }")
            ),
        ),
        downloads=(),
        shapes=Shapes({}, "", "", "", ()),
        findings=(),
        engine="none",
        triples=0,
        formats=FORMATS,
    )


@cache
def hostile_pages() -> tuple[Page, ...]:
    return tuple(plan_site(site_of(quads(), ATTACK)))


def test_hostile_data_makes_valid_pages_without_scripts_or_strange_links() -> None:
    for page in hostile_pages():
        if not page.path.endswith(".html"):
            continue
        parse(page.content)
        text = page.content.decode()
        assert "<script" not in without_data(text), page.path
        assert "onload=x" not in re.sub(r">[^<]*<|\"[^\"]*\"", "", text), page.path
        assert not re.search(r'href="(javascript|data):', text), page.path
        assert not {"\x01", "\ufffe"} & set(text), page.path


def test_hostile_labels_stay_text_in_pictures_feeds_and_guides() -> None:
    pages = {page.path: page.content.decode() for page in hostile_pages()}
    for path in ("feed.xml", "poster.svg"):
        root = ElementTree.fromstring(pages[path])
        assert not [item for item in root.iter() if item.tag.rpartition("}")[2] in {"script", "foreignObject"}]
        assert not [value for item in root.iter() for name, value in item.items() if name.startswith("on")]
    for path in ("feed.xml", "poster.svg", "llms.txt"):
        assert not {"\u202e", "\x01", "\ufffe"} & set(pages[path]), path
        assert len(pages[path]) < 20_000, path
    assert not re.search(r"\]\((?!https://example\.org/kg/)", pages["llms.txt"])


def test_hostile_labels_stay_text_inside_a_picture() -> None:
    spoke = Spoke("x.html", ATTACK, LONG, "\u202e</text><script>", "hedged", outgoing=True, title="</title><script>")
    node = Node("n", ATTACK + LONG, "x.html", 3, 0)
    chord = Chord("n", "n", 'x"onload=x', "hedged", "</title><script>")
    for drawn in (ego(ATTACK + LONG, [spoke] * 20, LONG), ring([LONG, ATTACK], [node], [chord], ATTACK)):
        root = ElementTree.fromstring(str(drawn).replace("<svg ", '<svg xmlns="http://www.w3.org/2000/svg" ', 1))
        assert not [item for item in root.iter() if item.tag.endswith("script")]
        assert not [name for item in root.iter() for name in item.attrib if name.startswith("on")]
        assert "\u202e" not in drawn
        assert len(drawn) < 20_000


def test_hostile_identifiers_stay_inside_the_site() -> None:
    for page in hostile_pages():
        assert re.fullmatch(r"[A-Za-z0-9_~-]+([./][A-Za-z0-9_~-]+)*", page.path)


def test_links_between_hostile_pages_resolve() -> None:
    report = Report()
    check_links(pages_by_path(hostile_pages(), Report()), beside(site_of(quads())), report)
    assert [finding.message for finding in report.sorted() if finding.code == "KG601"] == []


def test_direction_marks_are_isolated_in_text_and_absent_in_titles() -> None:
    for page in hostile_pages():
        text = page.content.decode()
        head = text.partition("</head>")[0] if page.path.endswith(".html") else ""
        assert "\u202e" not in head, page.path
    entity = next(page for page in hostile_pages() if page.path.startswith("id/~2e"))
    assert "<bdi>\u2067right to left</bdi>" in entity.content.decode()


def test_paths_that_differ_in_case_are_reported() -> None:
    report = Report()
    check_links(pages_by_path(hostile_pages(), report), beside(site_of(quads())), report)
    assert any("id/X.html and id/x.html" in finding.message for finding in report.sorted())


def test_missing_facets_are_said_to_be_missing() -> None:
    page = next(page for page in hostile_pages() if page.path == "claim/a/c1.html")
    text = page.content.decode()
    for words in ("<b>not recorded</b>", "Source not recorded", "place not recorded"):
        assert words in text


def test_an_empty_graph_makes_a_site() -> None:
    pages = {page.path: page.content for page in plan_site(replace(site_of(""), queries=()))}
    report = Report()
    check_links(pages, ["ns.ttl"], report)
    assert not report.findings
    for _, text in html(pages):
        parse(text.encode())


# The check of links


@pytest.mark.parametrize(
    ("link", "words"),
    [
        ("b.html", "broken link to b.html"),
        ("#nowhere", "the page has no 'nowhere'"),
        ("../x.html", "leads out of the site"),
        ("/a.html", "leads out of the site"),
        ("//example.org/", "leads out of the site"),
        ("id/", "broken link to id/"),
        ("a%20b.html", "broken link"),
    ],
)
def test_a_broken_link_is_reported(link: str, words: str) -> None:
    report = Report()
    check_links({"a.html": f'<a href="{link}">x</a>'.encode(), "id/index.html": b""}, [], report)
    assert [(finding.code, words in finding.message) for finding in report] == [("KG601", True)]


@pytest.mark.parametrize(
    "link", ["a.html", "", "#top", "id/index.html#x", "data/d%20e.nq", "https://example.org/", "mailto:a@b.c"]
)
def test_a_good_link_is_not_reported(link: str) -> None:
    pages = {"a.html": f'<a id="top" href="{link}">x</a>'.encode(), "id/index.html": b'<p id="x">'}
    report = Report()
    check_links(pages, ["data/d e.nq"], report)
    assert not report.findings


def test_collisions_are_reported() -> None:
    report = Report()
    pages = pages_by_path([Page("a.html", b""), Page("a.html", b""), Page("id", b"")], report)
    check_links(pages, ["A.html", "id/x.ttl", "id"], report)
    words = [finding.message for finding in report.sorted() if finding.code == "KG602"]
    assert len(words) == 4
    assert {"two pages at a.html", "two files at id"} < set(words)


def test_the_first_page_counts_claims_by_certainty() -> None:
    text = real_pages()["index.html"].decode()
    for label, count in Counter(claim.certainty.label for claim in real().views.claims).items():
        assert re.search(rf'<b>{label}</b></span></th><td class="number">{count}</td>', text), label


# Languages


def test_the_page_shows_the_other_languages_marked_as_such() -> None:
    text = real_pages()["id/restless-legs-syndrome.html"].decode()
    section = text.partition("In other languages")[2].partition("</section>")[0]
    assert '<code>de</code> <bdi lang="de">Restless-Legs-Syndrom</bdi>' in section
    assert '<code>es</code> <bdi lang="es">síndrome de piernas inquietas</bdi>' in section
    german = section.partition('<dd lang="de">')[2].partition("</dd>")[0]
    assert "Eine Störung, bei der" in german
    assert "<bdi>Syndrom der ruhelosen Beine</bdi>" in german
    assert "enfermedad de Willis-Ekbom" in section.partition('<dd lang="es">')[2]
    called = text.partition("Also called")[2].partition("</section>")[0]
    assert "Willis-Ekbom disease" in called
    assert "Willis-Ekbom-Krankheit" not in called


def test_a_page_led_by_another_language_says_so() -> None:
    shown = real().views
    german = Views(shown.store, shown.base, shown.prefixes, ("de", "en"))
    pages = {page.path: page.content for page in plan_site(replace(real(), views=german))}
    text = pages["id/restless-legs-syndrome.html"].decode()
    parse(text.encode())
    assert '<h1 lang="de"><bdi>Restless-Legs-Syndrom</bdi></h1>' in text
    assert '<p class="lead" lang="de"><bdi>Eine Störung' in text
    assert '<ul class="pills" lang="de">' in text.partition("Also called")[2].partition("</section>")[0]
    assert "<code>en</code> <bdi>restless legs syndrome</bdi>" in text
    assert '<code>es</code> <bdi lang="es">síndrome de piernas inquietas</bdi>' in text
