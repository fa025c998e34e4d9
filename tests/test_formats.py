"""Exports: every syntax says what the N-Quads say, letter for letter, the same bytes for the same quads."""

from __future__ import annotations

import json
import random
import re
import subprocess
import sys
import warnings
from collections.abc import Iterator
from pathlib import Path

import pyoxigraph as ox
import pytest
import rdflib
from hypothesis import given, settings
from hypothesis import strategies as st
from rdflib.graph import DATASET_DEFAULT_GRAPH_ID

from kgbuild import jsonld
from kgbuild.compilation import Compilation
from kgbuild.diagnostics import UnreadableError, UsageError
from kgbuild.editions.registry import find_edition
from kgbuild.formats import FORMATS, Format, Resources, read_quads, write_format
from kgbuild.terms import KGB, PREFIXES, RDF, TYPE, XSD, literal
from kgbuild.trusty import Quad, is_trusty

ROOT = Path(__file__).parents[1]
GOLDEN = Path(__file__).parent / "golden"
BASE = "https://w3id.org/magnesium-rls/"
OWN = {"mr": f"{BASE}ns#", **{name: f"{BASE}{name}/" for name in ("id", "claim", "article", "graph")}}
ALL_PREFIXES = dict(sorted((PREFIXES | OWN).items()))
CLAIM = f"{BASE}claim/magnesium-rls/c018"
EVERY = pytest.mark.parametrize("form", FORMATS.values(), ids=list(FORMATS))
OX_FORMATS = {
    "trig": ox.RdfFormat.TRIG,
    "nquads": ox.RdfFormat.N_QUADS,
    "turtle": ox.RdfFormat.TURTLE,
    "jsonld": ox.RdfFormat.JSON_LD,
    "rdfxml": ox.RdfFormat.RDF_XML,
}
RDFLIB_FORMATS = {"trig": "trig", "nquads": "nquads", "turtle": "turtle", "jsonld": "json-ld", "rdfxml": "xml"}


@pytest.fixture(scope="session")
def resources(compilation: Compilation) -> Resources:
    return Resources(compilation.nquads, compilation.project.prefixes, compilation.project.base)


@pytest.fixture(autouse=True, scope="module")
def _letters_kept() -> Iterator[None]:
    """Let rdflib keep lexical forms as they are written."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(rdflib, "NORMALIZE_LITERALS", False)
        yield


# What a text says, by pyoxigraph and by rdflib: a set of quads. Without blank nodes, equal sets are isomorphic graphs.


def lower(term: str) -> str:
    """Language tags are compared in lower case (RDF 1.1 Concepts §3.3)."""
    return re.sub(r'"@([A-Za-z0-9-]+)\Z', lambda found: f'"@{found[1].lower()}', term)


def said(quads: Iterator[Quad] | tuple[Quad, ...] | set[Quad], form: Format) -> set[Quad]:
    return {(graph if form.graphs else "", *(lower(term) for term in triple)) for graph, *triple in quads}  # type: ignore[misc]


def by_pyoxigraph(data: bytes, form: Format) -> set[Quad]:
    quads = ox.parse(data, OX_FORMATS[form.name])
    text = ox.serialize(quads, format=ox.RdfFormat.N_QUADS)
    assert text is not None
    assert not re.search(rb"(^|\s)_:", re.sub(rb'"(?:[^"\\]|\\.)*"', b'""', text))
    return said(read_quads(text), form)


def spelt(term: rdflib.term.Node) -> str:
    assert not isinstance(term, rdflib.BNode)
    if not isinstance(term, rdflib.Literal):
        return f"<{term}>"
    datatype = None if term.datatype in {None, rdflib.XSD.string} else str(term.datatype)
    return literal(str(term), language=term.language, datatype=datatype)


def by_rdflib(data: bytes, form: Format) -> set[Quad]:
    dataset = rdflib.Dataset()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # rdflib's parsers call what rdflib deprecates
        dataset.parse(data=data, format=RDFLIB_FORMATS[form.name])
    found = set()
    for subject, predicate, target, graph in dataset.quads():
        name = "" if graph in {None, DATASET_DEFAULT_GRAPH_ID} else f"<{graph}>"
        found.add((name, spelt(subject), spelt(predicate), spelt(target)))
    return said(found, form)


def shuffled(nquads: bytes) -> bytes:
    lines = nquads.splitlines(keepends=True)
    random.Random(7).shuffle(lines)
    return b"".join([*lines, *lines[:5]])


def declared_and_used(text: str) -> tuple[set[str], set[str]]:
    """Return the prefixes that Turtle or TriG declares, and those it uses."""
    declared = set(re.findall(r"^@prefix ([\w-]+):", text, re.MULTILINE))
    body = re.sub(r"^@.*\n", "", text, flags=re.MULTILINE)
    bare = re.sub(r'<[^>\s]*>|"(?:[^"\\]|\\.)*"', " ", body)
    return declared, set(re.findall(r"([A-Za-z][\w-]*):", bare))


# The project


@EVERY
def test_every_format_says_what_the_graph_says(compilation: Compilation, form: Format) -> None:
    project = compilation.project
    data = write_format(compilation.nquads, form, project.prefixes, project.base)
    expected = said(read_quads(compilation.nquads), form)
    assert by_pyoxigraph(data, form) == expected
    assert by_rdflib(data, form) == expected


@EVERY
def test_the_order_of_the_input_does_not_matter(compilation: Compilation, form: Format) -> None:
    project = compilation.project
    data = write_format(compilation.nquads, form, project.prefixes, project.base)
    assert write_format(shuffled(compilation.nquads), form, project.prefixes, project.base) == data
    backwards = dict(reversed(project.prefixes.items()))
    assert write_format(compilation.nquads, form, backwards, project.base) == data


def test_resources_do_not_depend_on_the_order_of_the_input(compilation: Compilation, resources: Resources) -> None:
    other = Resources(shuffled(compilation.nquads), compilation.project.prefixes, compilation.project.base)
    claim = next(compilation.nanopublications())
    for iri in (f"{BASE}id/magnesium", f"{BASE}claim/{claim.claim}"):
        assert other.turtle(iri) == resources.turtle(iri)
        assert other.jsonld(iri) == resources.jsonld(iri)
    assert other.trig(claim.iri) == resources.trig(claim.iri)
    assert other.context.document() == resources.context.document()


def test_the_seed_of_hashes_does_not_matter() -> None:
    code = (
        "import hashlib, pathlib, sys; from kgbuild.formats import *; from kgbuild.terms import PREFIXES;"
        "data = pathlib.Path(sys.argv[1]).read_bytes(); made = Resources(data, PREFIXES, 'https://w3id.org/magnesium-rls/');"
        "parts = [write_format(data, form, PREFIXES, made.base) for form in FORMATS.values()];"
        f"print(hashlib.sha256(b''.join([*parts, made.jsonld({CLAIM!r}), made.turtle({CLAIM!r})])).hexdigest())"
    )
    command = [sys.executable, "-c", code, str(GOLDEN / "claim.nq")]
    digests = {
        subprocess.run(
            command, env={"PYTHONHASHSEED": seed}, cwd=ROOT, capture_output=True, text=True, check=True
        ).stdout
        for seed in ("0", "1", "2")
    }
    assert len(digests) == 1


@pytest.mark.parametrize("name", ["turtle", "trig"])
def test_only_prefixes_in_use_are_declared(compilation: Compilation, resources: Resources, name: str) -> None:
    project = compilation.project
    texts = [write_format(compilation.nquads, FORMATS[name], project.prefixes, project.base)]
    texts += [resources.turtle(f"{BASE}id/{entity.id}") for entity in compilation.sources.entities]
    texts += [resources.trig(item.iri) for item in compilation.nanopublications()]
    for text in texts:
        declared, used = declared_and_used(text.decode())
        assert declared == used


def test_only_names_in_use_stand_in_a_context(resources: Resources) -> None:
    document = json.loads(resources.jsonld(f"{BASE}id/magnesium"))
    written = json.dumps(document["@graph"])
    names = set(document["@context"]) - {"@version"}
    definitions = json.dumps(list(document["@context"].values()))
    assert names
    for name in names:
        assert f'"{name}"' in written or f'"{name}:' in written + definitions


# Files about one resource


def test_every_resource_file_holds_its_description(compilation: Compilation, resources: Resources) -> None:
    turtle = FORMATS["turtle"]
    for entity in compilation.sources.entities:
        iri = f"{BASE}id/{entity.id}"
        expected = said(resources.describe(iri), turtle)
        assert by_pyoxigraph(resources.turtle(iri), turtle) == expected
        union = Format("jsonld", "", "", "", graphs=False)
        assert by_pyoxigraph(resources.jsonld(iri), union) == expected


def test_a_nanopublication_is_its_four_graphs_in_order(compilation: Compilation, resources: Resources) -> None:
    trig = FORMATS["trig"]
    for item in compilation.nanopublications():
        text = resources.trig(item.iri)
        assert by_pyoxigraph(text, trig) == said(item.quads, trig)
        parts = re.findall(r"^sub:(\w+) \{", text.decode(), re.MULTILINE)
        assert parts == ["Head", "assertion", "provenance", "pubinfo"]
        assert resources.trig(f"{BASE}claim/{item.claim}") == text if item is not compilation.index else True


def test_no_plain_triple_stands_without_the_claim_that_licenses_it(
    compilation: Compilation, resources: Resources
) -> None:
    asserted = f"<{BASE}graph/asserted>"
    seen = 0
    for entity in compilation.sources.entities:
        quads = resources.describe(f"{BASE}id/{entity.id}")
        about: dict[str, dict[str, str]] = {}
        for _, subject, predicate, target in quads:
            about.setdefault(subject, {})[predicate] = target
        parts = [f"<{RDF}{name}>" for name in ("subject", "predicate", "object")]
        sure = {
            tuple(node[part] for part in parts)
            for node in about.values()
            if node.get(f"<{KGB}certainty>") == f"<{KGB}certainty-asserted>" and parts[2] in node
        }
        plain = {quad[1:] for quad in quads if quad[0] == asserted}
        seen += len(plain)
        assert plain <= sure
    assert seen


def test_an_entity_comes_with_every_claim_that_names_it_and_its_hedge(
    compilation: Compilation, resources: Resources
) -> None:
    for entity in compilation.sources.entities:
        iri = f"<{BASE}id/{entity.id}>"
        quads = resources.describe(iri[1:-1])
        claims = {quad[1] for quad in quads if quad[2:] == (f"<{TYPE}>", f"<{KGB}Claim>")}
        hedged = {quad[1] for quad in quads if quad[2] == f"<{KGB}certainty>"}
        named = {
            quad[1]
            for quad in resources.quads
            if quad[3] == iri and quad[2] in {f"<{RDF}subject>", f"<{RDF}object>"} and "/claim/" in quad[1]
        }
        assert named <= claims == hedged


def test_the_files_of_an_entity_hold_what_datasets_state_of_it(compilation: Compilation, resources: Resources) -> None:
    """Whole statements with number and record, as subject or as object, and nothing stated of others."""
    statements = [item for dataset in compilation.sources.datasets for item in dataset.statements]
    for entity in ("kale", "enzyme", "blood"):
        iri = f"{BASE}id/{entity}"
        quads = resources.describe(iri)
        expected = {f"<{BASE}dataset/{item.key}>" for item in statements if entity in (item.subject.id, item.object.id)}
        found = {quad[1] for quad in quads if quad[2:] == (f"<{TYPE}>", f"<{KGB}DatasetStatement>")}
        judged = {quad[3] for quad in quads if quad[2] == f"<{KGB}datasetStatement>"}
        assert found - judged <= expected <= found
        subjects = {quad[1] for quad in quads}
        for statement in expected:
            records = {quad[3] for quad in quads if quad[1] == statement and quad[2].endswith("#wasDerivedFrom>")}
            assert records
            assert records <= subjects
        if entity == "kale":
            assert f"<{BASE}dataset/usda-sr28/kale-11233#object-quantity>" in subjects


def test_a_resource_comes_first_in_its_files(resources: Resources) -> None:
    iri = f"{BASE}id/restless-legs-syndrome"
    assert re.search(r"^\S+ a ", resources.turtle(iri).decode(), re.MULTILINE)[0] == "id:restless-legs-syndrome a "  # type: ignore[index]
    assert json.loads(resources.jsonld(iri))["@graph"][0]["@id"] == "id:restless-legs-syndrome"


def test_what_is_not_there_has_no_file(resources: Resources) -> None:
    assert f"{BASE}id/nothing" not in resources
    for ask in (resources.turtle, resources.jsonld, resources.trig, resources.describe, resources.graph):
        with pytest.raises(KeyError):
            ask(f"{BASE}id/nothing")


def test_a_named_graph_in_turtle(resources: Resources) -> None:
    graph = f"{BASE}graph/void"
    expected = {quad for quad in resources.quads if quad[0] == f"<{graph}>"}
    assert by_pyoxigraph(resources.graph(graph), FORMATS["turtle"]) == said(expected, FORMATS["turtle"])


@pytest.mark.parametrize("name", ["claim.ttl", "claim.jsonld", "claim.trig"])
def test_a_small_claim_reads_as_in_the_golden_file(name: str, request: pytest.FixtureRequest) -> None:
    resources = Resources((GOLDEN / "claim.nq").read_bytes(), ALL_PREFIXES, BASE)
    write = {"ttl": resources.turtle, "jsonld": resources.jsonld, "trig": resources.trig}[name.partition(".")[2]]
    path = GOLDEN / name
    if request.config.getoption("--update", default=False):
        path.write_bytes(write(CLAIM))
    assert write(CLAIM).decode() == path.read_text("utf-8")


def test_the_golden_nanopublication_keeps_its_name() -> None:
    quads = by_pyoxigraph((GOLDEN / "claim.trig").read_bytes(), FORMATS["trig"])
    code = re.search(r"RA[\w-]{43}", sorted(quads)[0][0])
    assert code is not None
    assert is_trusty(quads, code[0])


# Hostile quads


def valid(iri: str) -> bool:
    """Tell whether pyoxigraph takes an IRI."""
    try:
        return bool(list(ox.parse(f"<{iri}> <{iri}> <{iri}> .".encode(), ox.RdfFormat.N_QUADS)))
    except SyntaxError:
        return False


SPACES = ["http://a.example/", f"{BASE}ns#", f"{BASE}id/", f"{BASE}claim/", BASE, "urn:x:", PREFIXES["eco"], KGB]
NASTY = [
    "", "-x", ".", "..", "../x", "./x", "a/../b", "a//b", "//b", "/b", "a.", "a.b", "a:b", "@id", "@type", "@", "x#",
    "x#y", "x#y-z", "?q=1&r='2'", "%20x", "x(y),z;w", "é", "日本", "😀", "1", "1a", "_", "_:b", "~x", "label", "true",
    "Head", "assertion", "a'b", "$x!*+=", "x#s10", "x#s9",
]  # fmt: skip
ALONE = [
    "id:magnesium", "kgb:certainty", "label:x", "Claim:x", "subject:x", "graph:", "mailto:a@b.example", "urn:x", "a:b",
    "a://b", "xsd:integer", "http://a.example", BASE, f"{BASE}np/RA1#Head", f"{BASE}np/RA1#assertion", f"{BASE}np/RA1",
]  # fmt: skip
iris = st.sampled_from([iri for iri in (*ALONE, *(space + end for space in SPACES for end in NASTY)) if valid(iri)])
VALUES = [
    "", "@id", "@type", "@value", "@none", "true", "false", "1", "0", "-0", "+5", "007", "0.50", "0.0000001",
    "-1.5", ".5",
    "1e3", "1.", "12345678901234567890", "INF", 'a "b"', "\\", '\\"', "a\nb", "a\r\nb\r", "\t", " x ", "</script>&amp;",
    "\u2028\u2029", "\x7f\x85", "{}", "[]", "id:magnesium", "_:b", '"^^<http://a>', '"@en', "'''", '"""', "x>", "😀",
    "\ufeff",
]  # fmt: skip
texts = st.one_of(st.sampled_from(VALUES), st.text(st.characters(exclude_categories=["Cs"]), max_size=8))
DATATYPES = [
    *(XSD + name for name in ("integer", "decimal", "boolean", "double", "date", "anyURI", "int")),
    f"{RDF}XMLLiteral", f"{RDF}JSON", "http://a.example/type", "id:type",
]  # fmt: skip
literals = st.one_of(
    st.builds(literal, texts),
    st.builds(
        lambda text, tag: literal(text, language=tag), texts, st.sampled_from(["en", "de-CH", "EN", "x-a1", "none"])
    ),
    st.builds(lambda text, kind: literal(text, datatype=kind), texts, st.sampled_from(DATATYPES)),
)
nodes = iris.map("<{}>".format)
objects = st.one_of(nodes, literals)
predicates = st.one_of(nodes, st.sampled_from([f"<{TYPE}>", f"<{PREFIXES['rdfs']}label>", f"<{KGB}certainty>"]))
graphs = st.one_of(st.just(""), nodes)
hostile = st.lists(st.tuples(graphs, nodes, predicates, objects), max_size=12)


def lines(quads: list[Quad]) -> bytes:
    return "".join(f"{s} {p} {o} {g} .\n" for g, s, p, o in quads).encode()


@EVERY
@settings(max_examples=80, deadline=None)
@given(quads=hostile)
def test_hostile_quads_come_back(form: Format, quads: list[Quad]) -> None:
    try:
        data = write_format(lines(quads), form, ALL_PREFIXES, BASE)
    except UsageError:
        assert form.name == "rdfxml"
        return
    assert by_pyoxigraph(data, form) == said(set(quads), form)
    assert by_rdflib(data, form) == said(set(quads), form)
    assert write_format(shuffled(lines(quads)), form, ALL_PREFIXES, BASE) == data


@settings(max_examples=80, deadline=None)
@given(quads=st.lists(st.tuples(graphs, nodes, st.sampled_from(["<http://a.example/p>", f"<{KGB}q.r-s>"]), literals)))
def test_hostile_literals_come_back_from_rdf_xml(quads: list[Quad]) -> None:
    quads = [quad for quad in quads if not re.search(r"\\u00|\\b|\\f|[\ufffe\uffff]", quad[3])]
    form = FORMATS["rdfxml"]
    data = write_format(lines(quads), form, ALL_PREFIXES, BASE)
    assert by_pyoxigraph(data, form) == said(set(quads), form)
    assert by_rdflib(data, form) == said(set(quads), form)


@settings(max_examples=60, deadline=None)
@given(quads=hostile)
def test_hostile_turtle_declares_only_what_it_uses(quads: list[Quad]) -> None:
    for name in ("turtle", "trig"):
        declared, used = declared_and_used(write_format(lines(quads), FORMATS[name], ALL_PREFIXES, BASE).decode())
        assert declared == used


@settings(max_examples=60, deadline=None)
@given(quads=hostile)
def test_json_can_stand_in_a_page(quads: list[Quad]) -> None:
    text = write_format(lines(quads), FORMATS["jsonld"], ALL_PREFIXES, BASE).decode()
    assert not set(text) & set("<>&\u2028\u2029")
    json.loads(text)


@settings(max_examples=60, deadline=None)
@given(quads=hostile, other=hostile)
def test_a_context_serves_quads_it_was_not_made_for(quads: list[Quad], other: list[Quad]) -> None:
    """A property read as IRIs, dates or texts by language may still hold anything."""
    taken = {quad[2] for quad in other}
    quads = [quad for quad in quads if ":" in quad[0]] + [
        (graph, subject, predicate, target) for graph, subject, _, target in quads for predicate in sorted(taken)[:3]
    ]
    made = jsonld.context(ALL_PREFIXES, [*other, *quads])
    narrow = jsonld.Context(made.prefixes, jsonld.context(ALL_PREFIXES, other).terms.values())
    clashing = {term[1:].partition(":")[0] for quad in quads for term in quad}
    if clashing & {term.name for term in narrow.terms.values()}:
        return
    data = jsonld.document(quads, narrow)
    assert by_pyoxigraph(data, FORMATS["jsonld"]) == said(set(quads), FORMATS["jsonld"])


# Single cases


def test_parts_stand_inside_the_node_that_points_at_them() -> None:
    quads = read_quads((GOLDEN / "claim.nq").read_bytes())
    document = json.loads(jsonld.document(quads, jsonld.context(ALL_PREFIXES, quads, BASE), graphs=False, first=CLAIM))
    claim = document["@graph"][0]
    assert claim["objectQuantity"]["minExclusive"] == 300
    assert claim["label"]["en"].startswith("Magnesium works")


def test_the_vocabulary_of_the_tool_takes_a_shared_name_first() -> None:
    classes = (f"{BASE}ns#Article", PREFIXES["schema"] + "Article", f"{KGB}Article")
    quads = [("", f"<{BASE}id/x>", f"<{TYPE}>", f"<{name}>") for name in classes]
    data = json.loads(jsonld.document(quads, jsonld.context(ALL_PREFIXES, quads, BASE)))
    assert data["@graph"][0]["@type"] == ["Article", "mr:Article", "schema:Article"]


def test_a_property_without_a_name_says_so_in_rdf_xml() -> None:
    for predicate in ("http://a.example/1", "http://a.example/", f"{RDF}li", f"{RDF}Description"):
        with pytest.raises(UsageError, match="RDF/XML cannot name the property"):
            write_format(f'<http://a/s> <{predicate}> "x" .'.encode(), FORMATS["rdfxml"], ALL_PREFIXES, BASE)


def test_a_control_character_says_so_in_rdf_xml() -> None:
    with pytest.raises(UsageError, match=r"U\+0001"):
        write_format(b'<http://a/s> <http://a/p> "\\u0001" .', FORMATS["rdfxml"], ALL_PREFIXES, BASE)


@pytest.mark.parametrize(
    "line",
    [
        '_:b <http://a/p> "x" .',
        "<http://a/s> <http://a/p> _:b .",
        "<http://a/s> <http://a/p> <<( <http://a/s> <http://a/p> <http://a/o> )>> .",
        '<http://a/s> <http://a/p> "x"@ar--rtl .',
        "<relative> <http://a/p> <http://a/o> .",
        "nonsense",
    ],
)
def test_what_no_export_carries_is_named_by_its_line(line: str) -> None:
    with pytest.raises(UnreadableError, match="line 2"):
        read_quads(f"# first\n{line}\n".encode())


def test_text_that_is_not_utf8_is_unreadable() -> None:
    with pytest.raises(UnreadableError, match="UTF-8"):
        read_quads(b"\xff")


def test_other_spellings_of_a_line_are_the_same_quad() -> None:
    odd = b'  <http://a/s>\t<http://a/p> "\\u0041\\t"^^<http://www.w3.org/2001/XMLSchema#string>. # a remark\r\n'
    assert read_quads(odd) == read_quads(b'<http://a/s> <http://a/p> "A\\t" .\n')


def test_n_quads_keep_every_letter() -> None:
    line = f'<http://a/s> <http://a/p> "0.50"^^<{XSD}decimal> .\n<http://a/s> <http://a/p> "x"@de-CH .\n'.encode()
    assert write_format(line, FORMATS["nquads"], ALL_PREFIXES, BASE) == line


@pytest.mark.parametrize(
    ("name", "found"),
    [("trig", "trig"), ("nq", "nquads"), ("TTL", "turtle"), (".rdf", "rdfxml"), ("application/n-quads", "nquads")],
)
def test_a_format_is_found_by_name_extension_and_media_type(name: str, found: str) -> None:
    assert find_edition(name).name == found


def test_an_unknown_format_is_named_with_what_was_meant() -> None:
    with pytest.raises(UsageError, match="did you mean 'turtle'"):
        find_edition("turtel")
