"""The SHACL shapes: each rule is complete, has its examples, and means the same to every engine.

An example is a small graph in Turtle, ``tests/shapes/CODE/valid.ttl`` and ``invalid.ttl``. It is judged
together with the vocabulary and the ontology, as the graphs of a build are. pySHACL is the authority; the
fast engine and the set-wise queries must report the same.
"""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path
from typing import NamedTuple

import pyshacl
import pytest
from rdflib import DCTERMS, RDF, RDFS, SH, SKOS, BNode, Graph, Literal, Namespace, URIRef
from rdflib.collection import Collection
from rdflib.term import Node
from rdflib.util import from_n3

from kgbuild.source import Source
from kgbuild.store import OxigraphStore
from kgbuild.validate import Rule, load_shapes, solve

ROOT = Path(__file__).parent.parent
EXAMPLES = Path(__file__).parent / "shapes"
SHAPES = (ROOT / "kgbuild/vocabulary/shapes.ttl", ROOT / "ontology/shapes.ttl")
VOCABULARY = (
    ROOT / "kgbuild/vocabulary/claims.ttl",
    ROOT / "kgbuild/vocabulary/schemes.ttl",
    ROOT / "ontology/magnesium-rls.ttl",
)
Term = Node | str | None
KGB = Namespace("https://w3id.org/kgbuild/ns#")
TARGETS = (SH.targetClass, SH.targetSubjectsOf, SH.targetObjectsOf)


class Result(NamedTuple):
    """A validation result, without the words."""

    shape: Term
    focus: Term
    path: str
    value: Term


def read(*paths: Path) -> Graph:
    graph = Graph()
    for path in paths:
        graph.parse(path, format="turtle")
    return graph


@cache
def all_shapes() -> Graph:
    return read(*SHAPES)


@cache
def vocabulary() -> Graph:
    return read(*VOCABULARY)


class Example:
    """An example with the vocabulary, what a build would judge, in the form each engine takes."""

    def __init__(self, path: Path) -> None:
        self.graph = vocabulary() + read(path)
        self.text = self.graph.serialize(format="nt")
        self.store = OxigraphStore.of(self.text.encode())


@cache
def example(code: str, name: str) -> Example:
    return Example(EXAMPLES / code / f"{name}.ttl")


def codes() -> list[str]:
    return sorted({str(code) for code in all_shapes().objects(None, DCTERMS.identifier)})


def shapes_of(code: str) -> list[Node]:
    """Every node shape and property shape of a rule."""
    graph = all_shapes()
    return [
        node
        for node in sorted(graph.subjects(DCTERMS.identifier, Literal(code)), key=str)
        if graph.value(node, RDF.type) in (SH.NodeShape, SH.PropertyShape)
    ]


def extract(nodes: list[Node]) -> Graph:
    """The shapes graph that says all about these nodes: their lists, paths and prefixes too."""
    graph, out, todo = all_shapes(), Graph(), list(nodes)
    while todo:
        node = todo.pop()
        if (node, None, None) in out:
            continue
        for triple in graph.triples((node, None, None)):
            out.add(triple)
            if isinstance(triple[2], BNode) or triple[1] in (SH.prefixes, SH.sparql):
                todo.append(triple[2])
    return out


def path_text(graph: Graph, path: Node | None) -> str:
    """A SHACL path in the syntax of SPARQL; '' for none."""
    if path is None:
        return ""
    if isinstance(path, URIRef):
        return path.n3()
    inverse = graph.value(path, SH.inversePath)
    if inverse is not None:
        return f"^{path_text(graph, inverse)}"
    choice = graph.value(path, SH.alternativePath)
    steps = [path_text(graph, step) for step in Collection(graph, choice or path)]
    return f"({('|' if choice else '/').join(steps)})"


def judged_by_pyshacl(data: Example, shapes: Graph) -> set[Result]:
    _, report, _ = pyshacl.validate(data.graph, shacl_graph=shapes)
    assert isinstance(report, Graph)
    return {
        Result(
            report.value(result, SH.sourceShape),
            report.value(result, SH.focusNode),
            path_text(report, report.value(result, SH.resultPath)),
            report.value(result, SH.value),
        )
        for result in report.subjects(RDF.type, SH.ValidationResult)
    }


def judged_by_fast_engine(data: Example, shapes: Graph) -> set[Result]:
    fast = pytest.importorskip("shacl")
    engine = fast.Shapes.from_turtle(shapes.serialize(format="turtle"))
    report = engine.validate_text(data.text, format="ntriples")
    return {
        Result(
            from_n3(result.source_shape),
            from_n3(result.focus_node),
            result.path or "",
            None if result.value is None else from_n3(result.value),
        )
        for result in report.results
    }


@cache
def rules() -> dict[str, Rule]:
    """The whole-graph rules as a build runs them."""
    return {
        rule.shape: rule
        for rule in load_shapes(tuple(Source(path.name, path.read_text("utf-8")) for path in SHAPES)).rules
    }


def judged_set_wise(data: Example, shape: Node) -> set[Result]:
    answer = solve(rules()[str(shape)], data.store)
    found = [dict(zip(answer.variables, row, strict=True)) for row in answer.rows]
    return {Result(shape, from_n3(str(row["this"])), "", from_n3(str(row.get("value", row["this"])))) for row in found}


# --- the shapes files ---------------------------------------------------------------------------


def test_the_shapes_are_well_formed() -> None:
    """pySHACL finds the shapes files valid by the shapes of SHACL itself."""
    conforms, _, text = pyshacl.validate(Graph(), shacl_graph=all_shapes(), meta_shacl=True)
    assert conforms, text


def test_every_shape_is_documented() -> None:
    """A shape has an IRI, and one code, name, reason, message and severity."""
    graph = all_shapes()
    shapes = {*graph.subjects(RDF.type, SH.NodeShape), *graph.subjects(RDF.type, SH.PropertyShape)}
    used = {
        *graph.objects(None, SH.property),
        *graph.objects(None, SH["not"]),
        *graph.objects(None, SH.qualifiedValueShape),
    }
    for shapes_list in graph.objects(None, SH["or"]):
        used |= set(Collection(graph, shapes_list))
    assert used <= shapes, "every shape that is used is declared as one"
    for shape in shapes:
        assert isinstance(shape, URIRef)
        for predicate in (DCTERMS.identifier, RDFS.label, RDFS.comment, SH.message, SH.severity):
            assert len(list(graph.objects(shape, predicate))) == 1, f"{shape} {predicate}"
        assert graph.value(shape, SH.severity) in (SH.Violation, SH.Warning), shape


def test_no_code_is_used_twice() -> None:
    """The shapes of a code belong together: one file, and names that start with the rule's own."""
    for code in codes():
        rules = [shape for shape in shapes_of(code) if str(shape).endswith(f"#shape-{code}")]
        assert len(rules) == 1, code
        assert (rules[0], RDF.type, SH.NodeShape) in all_shapes(), code
        for shape in shapes_of(code):
            assert shape == rules[0] or str(shape).startswith(f"{rules[0]}-"), shape
    names = [
        str(all_shapes().value(shape, RDFS.label))
        for code in codes()
        for shape in shapes_of(code)
        if (shape, RDF.type, SH.NodeShape) in all_shapes()
    ]
    assert len(names) == len(set(names))


def test_whole_graph_rules_are_plain() -> None:
    """A shape with SPARQL has one query and nothing else, and it may be run set-wise."""
    graph = all_shapes()
    allowed = {
        RDF.type, RDFS.label, RDFS.comment, DCTERMS.identifier, SH.message, SH.severity,
        SH.targetClass, SH.targetSubjectsOf, SH.sparql,
    }  # fmt: skip
    for shape in set(graph.subjects(SH.sparql)):
        assert set(graph.predicates(shape)) <= allowed, shape
        (constraint,) = graph.objects(shape, SH.sparql)
        (code,) = graph.objects(shape, DCTERMS.identifier)
        (message,) = graph.objects(constraint, SH.message)
        assert str(message) == f"{code}: {graph.value(shape, SH.message)}"
        (query,) = graph.objects(constraint, SH.select)
        select = str(query)
        assert re.fullmatch(r"\s*SELECT \$this( \?value)? WHERE \{.*\}\s*", select, re.DOTALL)
        assert len(re.findall(r"\bSELECT\b", select)) == 1
        assert not re.search(r"\b(MINUS|VALUES|GRAPH|SERVICE|GROUP|LIMIT)\b", select)
        assert not re.search(r"AS\s+[$?](this|value)\b", select)


@pytest.mark.parametrize(
    ("shape", "scheme"),
    [
        ("shape-S02-certainty", "certaintyScheme"),
        ("shape-S03-modality", "modalityScheme"),
        ("shape-S04-polarity", "polarityScheme"),
        ("shape-S43-frequency", "frequencyScheme"),
        ("shape-S13-basis", "basisScheme"),
        ("shape-S30-type", "qualifierTypeScheme"),
        ("shape-S47-verdict", "alignmentScheme"),
    ],
)
def test_lists_repeat_the_schemes(shape: str, scheme: str) -> None:
    """The values a shape admits are the concepts of the scheme, all of them and no others."""
    (head,) = all_shapes().objects(KGB[shape], SH["in"])
    listed = set(Collection(all_shapes(), head))
    assert listed == set(vocabulary().subjects(SKOS.inScheme, KGB[scheme]))


# --- the examples -------------------------------------------------------------------------------


def test_every_code_has_examples_and_no_others_exist() -> None:
    assert sorted(path.name for path in EXAMPLES.iterdir() if path.is_dir()) == codes()
    for code in codes():
        names = sorted(path.name for path in (EXAMPLES / code).iterdir())
        assert names == ["invalid.ttl", "valid.ttl"], code


def constraints(code: str) -> list[tuple[Node, Node]]:
    """Each shape of the rule that has SPARQL constraints, with each of them."""
    graph = all_shapes()
    return [(shape, constraint) for shape in shapes_of(code) for constraint in graph.objects(shape, SH.sparql)]


@cache
def local_shapes(code: str | None = None) -> Graph:
    """The shapes without SPARQL, of one rule or of all."""
    wanted = [code] if code else codes()
    return extract(
        [shape for rule in wanted for shape in shapes_of(rule) if (shape, SH.sparql, None) not in all_shapes()]
    )


def reporting_shapes(code: str) -> set[Node]:
    """The shapes of a rule that have results of their own, not only a say in another's."""
    graph = all_shapes()
    rules = {shape for shape in shapes_of(code) if any((shape, target, None) in graph for target in TARGETS)}
    properties = {shape for rule in rules for shape in graph.objects(rule, SH.property)}
    direct = {rule for rule in rules if any((rule, p, None) in graph for p in (SH.sparql, SH["or"]))}
    return direct | properties


@pytest.mark.parametrize("code", codes())
def test_a_valid_example_breaks_no_rule(code: str) -> None:
    """Under all rules; and pySHACL agrees for the rule it is an example of."""
    data = example(code, "valid")
    assert judged_by_pyshacl(data, extract(shapes_of(code))) == set()
    assert judged_by_fast_engine(data, local_shapes()) == set()
    for rule in codes():
        for shape, constraint in constraints(rule):
            assert judged_set_wise(data, shape) == set(), constraint


@pytest.mark.parametrize("code", codes())
def test_an_invalid_example_breaks_its_rule(code: str) -> None:
    """In every one of its shapes and queries; and all engines report the same."""
    data = example(code, "invalid")
    expected = judged_by_pyshacl(data, extract(shapes_of(code)))
    found = judged_by_fast_engine(data, local_shapes(code))
    for shape, constraint in constraints(code):
        results = judged_set_wise(data, shape)
        assert results, f"the example does not break {constraint}"
        found |= results
    assert found == expected
    assert {result.shape for result in found} == reporting_shapes(code)


@pytest.mark.parametrize("code", codes())
def test_an_invalid_example_breaks_no_other_rule(code: str) -> None:
    data = example(code, "invalid")
    found = judged_by_fast_engine(data, local_shapes())
    for rule in codes():
        for shape, _ in constraints(rule):
            found |= judged_set_wise(data, shape)
    assert {result.shape for result in found} <= set(shapes_of(code))
