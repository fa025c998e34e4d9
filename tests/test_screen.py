"""The screen is held to pySHACL: it loses no violation and invents none, whatever the shapes, the data and the shards.

Shapes and data are generated from seeds: every SHACL Core constraint component, path and target, and values that
engines like to read differently. What pySHACL refuses, the screen must refuse.
"""

from __future__ import annotations

import random
import shutil
from collections.abc import Callable
from pathlib import Path

import pyoxigraph as ox
import pytest
from rdflib import Graph, Namespace

from kgbuild.compilation import compile_project
from kgbuild.validate import (
    BrokenShapesError,
    Screen,
    Violation,
    judge,
    whole_parts,
)

pytestmark = pytest.mark.no_cover  # tracing would make pySHACL three times as slow
GOOD = Path(__file__).parent / "broken" / "_good"
EXAMPLES = Path(__file__).parent / "shapes"
SUITE = Path(__file__).parents[2] / "shared/suites/shacl"
MF = Namespace("http://www.w3.org/2001/sw/DataAccess/tests/test-manifest#")
SHT = Namespace("http://www.w3.org/ns/shacl-test#")
HEADING = """
@prefix e: <http://e/> . @prefix sh: <http://www.w3.org/ns/shacl#> . @prefix xsd: <http://www.w3.org/2001/XMLSchema#> .
@prefix owl: <http://www.w3.org/2002/07/owl#> . @prefix rdf: <http://www.w3.org/1999/02/22-rdf-syntax-ns#> .
@prefix rdfs: <http://www.w3.org/2000/01/rdf-schema#> . @prefix kgb: <https://w3id.org/kgbuild/ns#> .
@prefix dcterms: <http://purl.org/dc/terms/> . @prefix skos: <http://www.w3.org/2004/02/skos/core#> .
"""
TYPED = (
    "+1 integer", "01 integer", "x integer", "1.5 integer", "1 boolean", "tRue boolean", "1.50 decimal", "1. decimal",
    "NaN double", "INF float", "1e0 double", "5 int", "300 byte", "-1 nonNegativeInteger", "2020-01-01 date",
    "2020-02-30 date", "2020-01-01Z date", "2020-01-01T00:00:00 dateTime", "2020-01-01T00:00:00Z dateTime",
    "2020 gYear", "P1D duration", "10:00:00 time", "abc hexBinary", "a anyURI", "1 string",
)  # fmt: skip
VALUES = (
    "e:a", "e:b", "e:c", "<mailto:a>", '""', '"a"', '"ab"', '"b\\n"', '"äöü"', '"𝒳"', '"٣"', '"A"', '"a"@en', '"a"@en-gb',
    '"b"@de', "1", "2", "3", "1.0", "2e0", "true", "99999999999999999999", '"x"^^e:own',
    *(f'"{value.split()[0]}"^^xsd:{value.split()[1]}' for value in TYPED),
)  # fmt: skip
NODES = (*VALUES, "_:x", "_:y")
PATHS = (
    "e:p", "e:q", "[ sh:inversePath e:p ]", "( e:p e:q )", "[ sh:alternativePath ( e:p e:q ) ]",
    "[ sh:zeroOrMorePath e:p ]", "[ sh:oneOrMorePath e:p ]", "[ sh:zeroOrOnePath e:p ]", "( [ sh:inversePath e:p ] e:q )",
    "[ sh:inversePath ( e:p e:q ) ]", "[ sh:zeroOrMorePath [ sh:alternativePath ( e:p [ sh:inversePath e:q ] ) ] ]",
)  # fmt: skip
PATTERNS = (
    '"^a"', '"b$"', '"."', '"A" ; sh:flags "i"', '"a.b" ; sh:flags "s"', '"[0-9]+"', '"\\\\d"', '"\\\\w+"', '"^[^@]+$"',
    '"^.{2}$"', '"(a|b)+"', '"^http://e/"', '"\\\\p{L}"',
)  # fmt: skip
TARGETS = (
    "sh:targetNode e:a", "sh:targetNode e:a , e:none", 'sh:targetNode "a" , 1', "sh:targetClass e:A",
    "sh:targetClass e:C", "sh:targetSubjectsOf e:p", "sh:targetObjectsOf e:p", "a rdfs:Class", "a owl:Class",
    "sh:targetObjectsOf e:q ; sh:targetClass e:B",
)  # fmt: skip
MOST = ("0", "1", "1 ; sh:qualifiedValueShapesDisjoint true")
BOUNDS = (*VALUES[15:], *("2 ; sh:datatype xsd:integer", "1.5 ; sh:datatype xsd:decimal") * 10)
COMMON = ("e:a", "e:b", '"a"@en', '"b"@en', "1", "2")
TAGS = ('"en"', '"de"', '"en-GB"', '"EN"')
SIMPLE: dict[str, Callable[[random.Random], str]] = {
    "class": lambda r: f"sh:class e:{r.choice('ABC')}",
    "datatype": lambda r: f"sh:datatype xsd:{r.choice(TYPED).split()[1]}",
    "nodeKind": lambda r: (
        "sh:nodeKind sh:" + r.choice(("IRI", "BlankNode", "Literal", "BlankNodeOrIRI", "IRIOrLiteral"))
    ),
    "minExclusive": lambda r: f"sh:minExclusive {r.choice(BOUNDS)}",
    "maxExclusive": lambda r: f"sh:maxExclusive {r.choice(BOUNDS)}",
    "minInclusive": lambda r: f"sh:minInclusive {r.choice(BOUNDS)}",
    "maxInclusive": lambda r: f"sh:maxInclusive {r.choice(BOUNDS)}",
    "minLength": lambda r: f"sh:minLength {r.randrange(4)}",
    "maxLength": lambda r: f"sh:maxLength {r.randrange(4)}",
    "pattern": lambda r: f"sh:pattern {r.choice(PATTERNS)}",
    "languageIn": lambda r: f"sh:languageIn ( {' '.join(r.sample(TAGS, 2))} )",
    "in": lambda r: f"sh:in ( {' '.join(r.sample(VALUES, 8))} )",
    "hasValue": lambda r: f"sh:hasValue {r.choice(VALUES)}",
    "equals": lambda r: f"sh:equals e:{r.choice('pq')}",
    "disjoint": lambda r: f"sh:disjoint e:{r.choice('pq')}",
    "closed": lambda r: (
        f"sh:closed true ; sh:ignoredProperties ( {r.choice(('', 'rdf:type'))} ) ; sh:property [ sh:path e:q ]"
    ),
}
OF_PROPERTIES: dict[str, Callable[[random.Random], str]] = {
    "minCount": lambda r: f"sh:minCount {r.randrange(4)}",
    "maxCount": lambda r: f"sh:maxCount {r.randrange(3)}",
    "uniqueLang": lambda _: "sh:uniqueLang true",
    "lessThan": lambda r: f"sh:lessThan e:{r.choice('pqr')}",
    "lessThanOrEquals": lambda r: f"sh:lessThanOrEquals e:{r.choice('pqr')}",
    "qualifiedMinCount": lambda r: f"sh:qualifiedValueShape {inner(r, 0)} ; sh:qualifiedMinCount {r.randrange(3)}",
    "qualifiedMaxCount": lambda r: f"sh:qualifiedValueShape {inner(r, 0)} ; sh:qualifiedMaxCount {r.choice(MOST)}",
}
JOINED: dict[str, Callable[[random.Random, int], str]] = {
    "not": lambda r, depth: f"sh:not {inner(r, depth)}",
    "node": lambda r, depth: f"sh:node {inner(r, depth, path=False)}",
    "property": lambda r, depth: f"sh:property {inner(r, depth, path=True)}",
    "and": lambda r, depth: f"sh:and ( {inner(r, depth)} {inner(r, depth)} )",
    "or": lambda r, depth: f"sh:or ( {inner(r, depth)} {inner(r, depth)} )",
    "xone": lambda r, depth: f"sh:xone ( {inner(r, depth)} {inner(r, depth)} )",
}
COMPONENTS = (*SIMPLE, *OF_PROPERTIES, *JOINED)


def constraint(r: random.Random, component: str, depth: int) -> str:
    if component in JOINED:
        return JOINED[component](r, depth)
    return (SIMPLE | OF_PROPERTIES)[component](r)


def inner(r: random.Random, depth: int, path: bool | None = None) -> str:
    """Return a shape without a name, of a component by chance."""
    path = r.random() < 0.4 if path is None else path
    names = [*SIMPLE, *(OF_PROPERTIES if path else ()), *(JOINED if depth else ())]
    said = [f"sh:path {r.choice(PATHS)}"] if path else []
    said += [constraint(r, r.choice(names), depth - 1)]
    said += ["sh:deactivated true"] if r.random() < 0.05 else []
    return f"[ {' ; '.join(said)} ]"


def generated(component: str, seed: int) -> tuple[str, str]:
    """Return a shape with the component, and data, as N-Triples."""
    r = random.Random(f"{component} {seed}")
    path = component in OF_PROPERTIES or r.random() < 0.5
    said = [f"e:S {r.choice(TARGETS)}", f"a sh:{'Property' if path else 'Node'}Shape"]
    said += [f"sh:path {r.choice(('e:p', r.choice(PATHS)))}"] if path else []
    said += [constraint(r, component, 1), f"sh:severity sh:{r.choice(('Violation', 'Warning', 'Info'))}"]
    said += ["sh:deactivated true"] if r.random() < 0.03 else []
    facts = [
        f"{subject} e:{r.choice('ppqr')} {r.choice(r.choice((NODES, COMMON)))} ."
        for subject in ("e:a", "e:b", "e:c", "_:x")
        for _ in range(r.randrange(8))
    ]
    facts += [f"{subject} a e:{r.choice('ABCS')} ." for subject in ("e:a", "e:b", "e:c", "_:x") if r.random() < 0.7]
    facts += [f"e:{lower} rdfs:subClassOf e:{upper} ." for lower, upper in ("AC", "CB") if r.random() < 0.4]
    data = turtle(" ".join(facts))
    return turtle(" ; ".join(said) + " ."), data.replace("@en-gb", "@en-GB") if seed % 2 else data


def turtle(text: str) -> str:
    triples = [quad.triple for quad in ox.parse(HEADING + text, ox.RdfFormat.TURTLE)]
    return (ox.serialize(triples, format=ox.RdfFormat.N_TRIPLES) or b"").decode()


def verdict(judging: Callable[[], set[Violation]]) -> set[Violation] | str:
    """Return what is found, or the words of a refusal."""
    try:
        return judging()
    except BrokenShapesError as error:
        return str(error)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("component", COMPONENTS)
def test_the_screen_finds_what_pyshacl_finds(component: str) -> None:
    """Every component in 120 shapes with data: the same results, in enough cases some, and some by the fast engine."""
    found = screened = 0
    for seed in range(120):
        shape, data = generated(component, seed)
        screen = Screen(shape, "auto")
        alone = verdict(lambda data=data, shape=shape: judge(data, shape))  # type: ignore[misc]
        assert verdict(lambda screen=screen, data=data: screen.violations(data)) == alone, (seed, shape, data)  # type: ignore[misc]
        found += bool(alone)
        screened += not screen.unscreened
    assert found > 4
    assert screened > 30 or component.startswith("lessThan")


@pytest.mark.parametrize(
    ("shape", "screened"),
    [
        ("sh:minInclusive 1", False),
        ("sh:datatype xsd:integer ; sh:minInclusive 1", True),
        ("sh:datatype xsd:byte ; sh:minInclusive 1", False),
        ("sh:property [ sh:path e:p ; sh:lessThan e:q ]", False),
        ('sh:pattern "^[a-z]+$"', True),
        ('sh:not [ sh:pattern "^[a-z]+$" ]', False),
        ('sh:pattern "^a" ; sh:flags "i"', False),
        ('sh:pattern "(?i)a"', False),
        ('sh:pattern "a*+b"', False),
        ("sh:not [ sh:minLength 0 ]", False),
        ("sh:closed true", True),
        ("sh:path e:p ; sh:closed true", False),
        ("sh:path [ sh:inversePath ( e:p e:q ) ] ; sh:minCount 1", False),
        ("a owl:Class ; sh:nodeKind sh:IRI", False),
    ],
)
def test_what_is_not_screened_is_judged_by_pyshacl_alone(shape: str, screened: bool) -> None:
    text = turtle(
        f"e:S a sh:{'Property' if 'sh:path e' in shape[:9] else 'Node'}Shape ; sh:targetClass e:A ; {shape} ."
    )
    assert (Screen(text, "auto").unscreened == "") is screened


def test_only_broken_shapes_and_named_nodes_are_judged() -> None:
    """A fault among many is judged with its own part of the graph, whole; the others are not read again."""
    part = "e:{0} kgb:objectQuantity e:{0}q ; a kgb:Claim . e:{0}q a e:Q . e:n{0} e:in e:{0} . "
    data = turtle("".join(part.format(f"c{number}") for number in range(5)) + "e:Q rdfs:subClassOf e:R .")
    kept = whole_parts(data, {"<http://e/c3q>"}).splitlines()
    assert sorted(kept) == sorted(
        line for line in data.splitlines() if line.startswith(("<http://e/c3", "<http://e/Q>"))
    )


# --- the suite of the W3C -----------------------------------------------------------------------


def cases() -> list[Path]:
    return sorted(path for path in SUITE.glob("core/*/*.ttl") if "sht:Validate" in path.read_text("utf-8"))


@pytest.mark.shared
@pytest.mark.skipif(not SUITE.exists(), reason="needs ../shared/suites/shacl")
@pytest.mark.filterwarnings("ignore")
def test_the_screen_finds_what_pyshacl_finds_in_the_suite_of_the_w3c() -> None:
    count = found = 0
    for path in cases():
        manifest = Graph().parse(path)
        for action in manifest.objects(None, MF.action):
            data, laws = (Graph().parse(str(manifest.value(action, name))) for name in (SHT.dataGraph, SHT.shapesGraph))
            texts = [graph.serialize(format="nt") for graph in (data, laws)]
            alone = verdict(lambda texts=texts: judge(*texts))  # type: ignore[misc]
            assert verdict(lambda texts=texts: Screen(texts[1], "auto").violations(texts[0])) == alone, path  # type: ignore[misc]
            count += 1
            found += bool(alone)
    assert count == 98
    assert found > 70


# --- shards and the whole graph -----------------------------------------------------------------

CLAIM = """  - id: g{number}
    statement: Claim number {number}.
    subject: {subject}
    predicate: {predicate}
    object: {object}
    sentence: 1
    certainty: {certainty}
    modality: {modality}
    basis: unsourced
"""
OWN = """
e:S1 a sh:NodeShape ; sh:targetClass kgb:Claim ; sh:property [ sh:path ( kgb:hasRationale kgb:certainty ) ; sh:maxCount 1 ] .
e:S2 a sh:NodeShape ; sh:targetClass kgb:Entity ; sh:property [ sh:path [ sh:inversePath rdf:subject ] ; sh:minCount 1 ; sh:maxCount 9 ] .
e:S3 a sh:NodeShape ; sh:targetClass kgb:Claim ; sh:property [ sh:path rdf:object ; sh:class <https://example.org/tea/ns#Drink> ] .
e:S4 a sh:NodeShape ; sh:targetObjectsOf kgb:hasRationale ; sh:property [ sh:path kgb:cue ; sh:minCount 1 ] .
e:S5 a sh:NodeShape ; sh:targetClass kgb:Claim ; sh:property [ sh:path kgb:modality ; sh:in ( kgb:modality-actual ) ] .
e:S6 a sh:NodeShape ; sh:targetClass kgb:Claim ; sh:sparql [ sh:select "SELECT $this ?value WHERE { $this <http://www.w3.org/1999/02/22-rdf-syntax-ns#subject> ?value . ?other <http://www.w3.org/1999/02/22-rdf-syntax-ns#object> ?value }" ] .
e:S7 a sh:NodeShape ; sh:targetClass kgb:Entity ; sh:sparql [ sh:select "SELECT $this (COUNT(?claim) AS ?value) WHERE { ?claim <http://www.w3.org/1999/02/22-rdf-syntax-ns#subject> $this } GROUP BY $this HAVING (COUNT(?claim) > 12)" ] .
e:S8 a sh:NodeShape ; sh:targetClass kgb:Claim ; sh:node [ sh:sparql [ sh:select "SELECT $this WHERE { $this <https://w3id.org/kgbuild/ns#modality> <https://w3id.org/kgbuild/ns#modality-potential> }" ] ] .
e:S9 a sh:NodeShape ; sh:deactivated true ; sh:targetClass kgb:Claim ; sh:sparql [ sh:select "SELECT $this WHERE { $this ?p ?o }" ] .
e:S10 a sh:PropertyShape ; sh:targetClass kgb:Claim ; sh:path kgb:certainty ; sh:sparql [ sh:select "SELECT $this ?value WHERE { $this $PATH ?value . FILTER(?value = <https://w3id.org/kgbuild/ns#certainty-possible>) }" ] .
e:S11 a sh:NodeShape , rdfs:Class ; sh:property [ sh:path rdfs:label ; sh:minCount 2 ] . kgb:Article rdfs:subClassOf e:S11 .
"""


def project(folder: Path, shard: int, seed: int) -> Path:
    """Lay the good project with 40 claims more, shapes of its own, and faults that only validation can tell."""
    r = random.Random(seed)
    shutil.copytree(GOOD, folder)
    settings = folder / "kgbuild.toml"
    settings.write_text(f"shard = {shard}\n{settings.read_text('utf-8')}", "utf-8")
    article = folder / "data/articles/tea.yaml"
    claims = [
        CLAIM.format(
            number=number,
            subject=r.choice(("tea", "caffeine", "sleeplessness")),
            predicate=r.choice(("contains", "causes")),
            object=r.choice(("tea", "caffeine", "sleeplessness")),
            certainty=r.choice(("asserted", "asserted", "possible", "probable")),
            modality=r.choice(("actual", "actual", "potential", "obligation")),
        )
        + r.choice(("", f"    rationale: [g{(number + 1) % 40}, g{(number + 9) % 40}]\n"))
        for number in range(40)
    ]
    article.write_text(article.read_text("utf-8").rstrip() + "\n" + "".join(claims), "utf-8")
    (folder / "ontology/shapes.ttl").write_text(HEADING + OWN, "utf-8")
    return folder


def compiled(root: Path, engine: str, monkeypatch: pytest.MonkeyPatch) -> set[Violation]:
    """Return the violations of a project, whatever they cost it."""
    found: set[Violation] = set()

    def kept(violations: set[Violation], *_: object) -> None:
        found.update(violations)

    monkeypatch.setattr("kgbuild.compilation.report_violations", kept)
    compile_project(root, engine=engine)
    return found


@pytest.mark.filterwarnings("ignore")
def test_shards_find_what_pyshacl_finds_in_the_whole_graph(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Shapes that look beyond a node, and constraints that are no rules, are judged on the whole graph."""
    alone = compiled(project(tmp_path / "alone", 1000, 1), "pyshacl", monkeypatch)
    for shard in (7, 1000):
        assert compiled(project(tmp_path / f"by-{shard}", shard, 1), "auto", monkeypatch) == alone
    own = {violation.shape.removeprefix("http://e/") for violation in alone if violation.shape.startswith("http://e/")}
    assert own >= {"S6", "S7", "S8", "S10"}
    assert "S9" not in own
    assert len(alone) > 100
