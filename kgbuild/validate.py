"""SHACL validation: pySHACL is the authority, a fast engine screens shards, whole-graph rules run on the store.

A shape with `sh:sparql` is a whole-graph rule: its SELECT runs once over the union of all graphs instead of once per
focus node. All other shapes are screened per shard by the `shacl` package; what does not conform is judged by pySHACL,
whose report is published. Without the fast engine pySHACL judges every shard.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import pyoxigraph as ox

from kgbuild.claims import CLAIM_FIELDS, ENTITY_FIELDS, KINDS, Place
from kgbuild.datasets import DATASET_FIELDS, RECORD_FIELDS, STATEMENT_FIELDS, VERDICT_FIELDS
from kgbuild.diagnostics import Report, Severity, Span
from kgbuild.ontology import locate
from kgbuild.project import Project
from kgbuild.source import Source
from kgbuild.sources import Sources
from kgbuild.store import QuerySyntaxError, Solutions, Store
from kgbuild.terms import DCTERMS, KGB, NP, OA, RDFS, SH, SSSOM, compress

if TYPE_CHECKING:
    import rdflib

Description = dict[str, list[ox.NamedNode | ox.BlankNode | ox.Literal]]
ENGINES = ("auto", "pyshacl")
_TIERS = (*VERDICT_FIELDS, *RECORD_FIELDS, *STATEMENT_FIELDS, *DATASET_FIELDS)
_KEYS = {field.property: field.key for field in (*_TIERS, *ENTITY_FIELDS, *CLAIM_FIELDS) if field.property}
_OF_ARTICLES = frozenset(
    {f"{KGB}{name}" for name in ("Article", "Claim", "Section", "Sentence")}
    | {*KINDS.values(), f"{OA}TextPositionSelector", f"{NP}Nanopublication", f"{SSSOM}Mapping"}
)
_FEW = 10_000  # candidates; where there are more, looking at everything is as fast
_SEVERITIES = {"Violation": Severity.ERROR, "Warning": Severity.WARNING, "Info": Severity.NOTE}


@dataclass(frozen=True, slots=True, order=True)
class Violation:
    """One validation result: shape, focus node, path and value as IRIs or lexical values ('' where absent)."""

    shape: str
    focus: str
    path: str
    value: str


@dataclass(frozen=True, slots=True)
class Shape:
    """A shape as its file describes it."""

    iri: str
    code: str
    label: str
    comment: str
    message: str
    severity: str
    span: Span | None = None


@dataclass(frozen=True, slots=True)
class Rule:
    """A whole-graph rule: the shape it belongs to, its target and its SELECT.

    `candidates` is a query that finds quickly all that the SELECT may find: values of some of the SELECT's variables;
    what it does not give is no violation.
    """

    shape: str
    target: str
    select: str
    prologue: str = ""
    candidates: str = ""

    def sparql(self, found: Solutions | None = None) -> str:
        """Return the query over all focus nodes, or over the candidates found."""
        return self.prologue + setwise(self.select, self.target, "" if found is None else values_of(found))


@dataclass(frozen=True, slots=True)
class Shapes:
    """The shapes of a project: all of them, those for shards as Turtle, the whole-graph rules, and where they stand."""

    described: dict[str, Shape]
    whole: str
    local: str
    rules: tuple[Rule, ...]
    place: Span | None = None


class BrokenShapesError(Exception):
    """Shapes that no engine can use, in the engine's words."""


def load_shapes(sources: tuple[Source, ...], report: Report | None = None) -> Shapes:
    """Read shapes files and part the whole-graph rules from the rest; one that cannot run is reported, not kept."""
    report = report if report is not None else Report()
    triples = [
        quad.triple
        for source in sources
        for quad in ox.parse(source.text, ox.RdfFormat.TURTLE, rename_blank_nodes=True)
    ]
    by_subject: dict[str, Description] = {}
    for triple in triples:
        if not isinstance(triple.object, ox.Triple):
            by_subject.setdefault(str(triple.subject), {}).setdefault(triple.predicate.value, []).append(triple.object)

    def one(subject: str, predicate: str) -> str:
        found = by_subject[subject].get(predicate)
        return min(term.value for term in found) if found else ""

    places: dict[str, Span] = {}
    for source in sources:
        places = locate(source) | places
    described = {}
    rules = []
    for subject, values in by_subject.items():
        if not subject.startswith("<") or DCTERMS + "identifier" not in values:
            continue
        iri = subject[1:-1]
        described[iri] = Shape(
            iri=iri,
            code=one(subject, DCTERMS + "identifier"),
            label=one(subject, RDFS + "label"),
            comment=one(subject, RDFS + "comment"),
            message=one(subject, SH + "message"),
            severity=one(subject, SH + "severity").removeprefix(SH) or "Violation",
            span=places.get(iri),
        )
        for constraint in values.get(SH + "sparql", ()):
            body = by_subject.get(str(constraint), {})
            prologue = "".join(_declared(by_subject, body.get(SH + "prefixes", ())))
            target = _target(values)
            select, candidates = (_text(body, name) for name in (SH + "select", KGB + "candidates"))
            try:
                setwise(select, target)
            except ValueError as error:
                _cannot_run(described[iri], str(error), report)
                continue
            if not target:
                _cannot_run(described[iri], "the shape has no target", report)
                continue
            rules.append(Rule(iri, target, select, prologue, candidates))
            if not described[iri].message:
                described[iri] = _with_message(described[iri], one(str(constraint), SH + "message"))
    local = [triple for triple in triples if triple.predicate.value != SH + "sparql"]
    own = sorted((source.path for source in sources), key=lambda path: path.startswith("kgbuild/"))
    return Shapes(
        described=described,
        whole=_turtle(triples),
        local=_turtle(local),
        rules=tuple(sorted(rules, key=lambda rule: rule.shape)),
        place=Span(own[0]) if own else None,
    )


def _text(body: Description, predicate: str) -> str:
    return next((term.value for term in body.get(predicate, ())), "")


def _cannot_run(shape: Shape, why: str, report: Report) -> None:
    report.add("KG502", f"rule {shape.code} cannot run: {why}", shape.span, hint="correct its sh:select")


def _with_message(shape: Shape, message: str) -> Shape:
    return replace(shape, message=message)


def _turtle(triples: Iterable[ox.Triple]) -> str:
    return ox.serialize(triples, format=ox.RdfFormat.N_TRIPLES).decode()  # type: ignore[union-attr]  # bytes: no output given


def _declared(
    by_subject: dict[str, Description],
    owners: Iterable[ox.NamedNode | ox.BlankNode | ox.Literal],
) -> list[str]:
    lines = set()
    for owner in owners:
        for declaration in by_subject.get(str(owner), {}).get(SH + "declare", ()):
            values = by_subject.get(str(declaration), {})
            for name, space in zip(values.get(SH + "prefix", ()), values.get(SH + "namespace", ()), strict=False):
                lines.add(f"PREFIX {name.value}: <{space.value}>\n")
    return sorted(lines)


def _target(values: Description) -> str:
    parts = [
        *(f"{{ $this a/<{RDFS}subClassOf>* {term} }}" for term in values.get(SH + "targetClass", ())),
        *(f"{{ $this {term} ?kgb_any }}" for term in values.get(SH + "targetSubjectsOf", ())),
        *(f"{{ ?kgb_any {term} $this }}" for term in values.get(SH + "targetObjectsOf", ())),
        *(f"{{ VALUES $this {{ {term} }} }}" for term in values.get(SH + "targetNode", ())),
    ]
    return " UNION ".join(parts)


def setwise(select: str, target: str, first: str = "") -> str:
    """Turn the SELECT of a constraint into one over all focus nodes of a target; `first` stands before all patterns.

    Sound for plain bodies only: the shapes' tests compare it with pySHACL, focus node by focus node.

    >>> setwise("SELECT $this WHERE { $this <p:> ?v }", "{ $this a <c:> }")
    'SELECT DISTINCT $this WHERE { { SELECT DISTINCT $this WHERE { { $this a <c:> } } } $this <p:> ?v }'
    """
    found = re.search(r"SELECT\s+(?:DISTINCT\s+)?(.*?)\s*(?:WHERE\s*)?\{", select, re.DOTALL | re.IGNORECASE)
    if found is None:
        raise ValueError("it is no SELECT query")
    inner = f"{first}{{ SELECT DISTINCT $this WHERE {{ {target} }} }}"
    return f"{select[: found.start()]}SELECT DISTINCT {found[1]} WHERE {{ {inner}{select[found.end() :]}"


def values_of(found: Solutions) -> str:
    """Write solutions as a VALUES block.

    >>> values_of(Solutions(("value",), ((ox.NamedNode("v:"),), (None,))))
    'VALUES (?value) { (<v:>) (UNDEF) } '
    """
    rows = ["(" + " ".join("UNDEF" if term is None else str(term) for term in row) + ")" for row in found.rows]
    return f"VALUES ({' '.join(f'?{name}' for name in found.variables)}) {{ {' '.join(rows)} }} "


def check_rules(
    shapes: Shapes, store: Store, report: Report, whole: Store | None = None, *, claims: bool = False
) -> set[Violation]:
    """Run every whole-graph rule on the store, and those that may look at large tables on the `whole`.

    Where these hold `claims`, that is every rule.
    """
    found: set[Violation] = set()
    for rule in shapes.rules:
        asked = whole if whole is not None and (claims or looks_beyond_claims(rule)) else store
        found |= _violations(rule, shapes, asked, report)
    return found


def looks_beyond_claims(rule: Rule) -> bool:
    """Tell whether a rule may look at the statements of datasets: its targets are others than what articles hold.

    The statements of a dataset only ever describe themselves, so a rule about claims, sentences or mappings finds the
    same without them, unless it names them.
    """
    classes = re.findall(r"subClassOf>\* <([^>]+)>", rule.target)
    others = len(classes) < len(rule.target.split(" UNION "))
    return others or not _OF_ARTICLES.issuperset(classes) or "DatasetStatement" in rule.select


def _violations(rule: Rule, shapes: Shapes, store: Store, report: Report) -> set[Violation]:
    found = None
    try:
        if rule.candidates:
            answer = store.query(rule.prologue + rule.candidates)
            if not isinstance(answer, Solutions):
                _cannot_run(shapes.described[rule.shape], "its kgb:candidates is no SELECT query", report)
                return set()
            if not answer.rows:
                return set()
            found = answer if len(answer.rows) <= _FEW else None
        answer = store.query(rule.sparql(found))
    except QuerySyntaxError as error:
        _cannot_run(shapes.described[rule.shape], str(error), report)
        return set()
    if not isinstance(answer, Solutions) or "this" not in answer.variables:
        _cannot_run(shapes.described[rule.shape], "it does not select $this", report)
        return set()
    # where ?value is not bound the value is the focus node itself (SHACL §5.3.1)
    return {
        Violation(rule.shape, row["this"], row.get("path", ""), row.get("value", row["this"])) for row in answer.dicts()
    }


def fast_engine() -> str | None:
    """Return the name and version of the fast engine, or None where it is not installed."""
    try:
        import shacl
    except ImportError:
        return None
    return f"shacl {shacl.__version__}"


class Screen:
    """The fast engine with the shapes compiled once; without it every shard is judged by pySHACL."""

    def __init__(self, shapes: Shapes, engine: str) -> None:
        self.text = shapes.local
        self.compiled = None
        if engine == "auto" and fast_engine():
            import shacl

            try:
                self.compiled = shacl.Shapes.from_text(shapes.local, format="ntriples")
            except ValueError as error:
                raise BrokenShapesError(str(error).split("\n")[0]) from None

    def violations(self, ntriples: str) -> set[Violation]:
        """Validate the triples of a shard."""
        if self.compiled is not None:
            report = self.compiled.validate_text(ntriples, format="ntriples")
            if report.conforms and not len(report):
                return set()
        return judge(ntriples, self.text)


def judge(ntriples: str, shapes: str) -> set[Violation]:
    """Validate triples with pySHACL and return its results; raise `BrokenShapesError` where it refuses the shapes."""
    import rdflib
    from pyshacl import validate
    from pyshacl.errors import ReportableRuntimeError

    data, laws = _as_written(ntriples), _as_written(shapes)
    try:
        _, results, _ = validate(data, shacl_graph=laws, advanced=False, allow_warnings=False)
    except (ReportableRuntimeError, ValueError, ArithmeticError, re.error) as error:
        raise BrokenShapesError(str(error).split("\n")[0]) from error
    if not isinstance(results, rdflib.Graph):
        raise BrokenShapesError(str(getattr(results, "message", results)).split("\n")[0])
    sh = rdflib.Namespace(SH)

    def value(node: rdflib.term.Node, predicate: str) -> str:
        term = results.value(node, sh[predicate])
        return "" if term is None or isinstance(term, rdflib.BNode) else str(term)

    return {
        Violation(*(value(node, name) for name in ("sourceShape", "focusNode", "resultPath", "value")))
        for node in results.subjects(rdflib.RDF.type, sh.ValidationResult)
    }


def _as_written(ntriples: str) -> rdflib.Graph:
    """Read triples with literals as they are written: rdflib would make `"01"^^xsd:integer` a `"1"`."""
    import rdflib

    usual = rdflib.NORMALIZE_LITERALS
    rdflib.NORMALIZE_LITERALS = False
    try:
        return rdflib.Graph().parse(data=ntriples, format="nt")
    finally:
        rdflib.NORMALIZE_LITERALS = usual


@dataclass(frozen=True, slots=True)
class Origins:
    """Where the nodes of the graph were written."""

    places: dict[str, Place]

    def find(self, iri: str, path: str) -> Span | None:
        """Return the place of a node, at the key its path belongs to where there is one."""
        place = self.places.get(iri) or self.places.get(iri.partition("#")[0])
        if place is None:
            return None
        key = _KEYS.get(path)
        return place.of(key) if key else place.span


def origins_of(sources: Sources, nanopublications: Iterable[tuple[str, str]]) -> Origins:
    """Gather the origin of every node; `nanopublications` are pairs of nanopublication IRI and claim key."""
    project = sources.project
    places: dict[str, Place] = {iri: Place(span) for iri, span in sources.ontology.origins.items()}
    claims = {claim.key: claim.place for claim in sources.claims}
    places |= {project.claim(key): place for key, place in claims.items()}
    places |= {project.entity(entity.id): entity.place for entity in sources.entities}
    for mapping_set in sources.mappings:
        places[mapping_set.id] = mapping_set.place
    for article in sources.articles:
        me = project.article(article.id)
        places[me] = article.place
        places |= {f"{me}#{section.id}": section.place for section in article.sections}
        for sentence in article.sentences:
            places[f"{me}#s{sentence.number}"] = sentence.place
            places[f"{me}#s{sentence.number}-position"] = sentence.place
    for dataset in sources.datasets:
        places[project.dataset(dataset.id)] = dataset.place
        places |= {project.dataset(key): place for key, place in dataset.places()}
    for alignments in sources.alignments:
        me = project.alignment(alignments.article)
        places[me] = alignments.place
        places |= {f"{me}#{criterion.id}": criterion.place for criterion in alignments.criteria}
        for alignment in alignments.alignments:
            places[project.alignment(f"{alignment.claim}/{alignment.statement}")] = alignment.place
    places |= {iri: claims[key] for iri, key in nanopublications if key in claims}
    return Origins(places)


def report_violations(
    violations: Iterable[Violation], shapes: Shapes, origins: Origins, project: Project, report: Report
) -> None:
    """Turn validation results into findings at source lines."""
    for violation in sorted(violations):
        shape = shapes.described.get(violation.shape)
        focus = compress(violation.focus, project.prefixes).removeprefix(project.base)
        value = compress(violation.value, project.prefixes).removeprefix(project.base)
        words = shape.message if shape and shape.message else "the shape is violated"
        words = words.replace("{?value}", value).replace("{$this}", focus).replace("{?this}", focus)
        about = f"{focus}: {value}" if value and value != focus and value not in words else focus
        report.add(
            shape.code if shape else "KG501",
            f"{words.rstrip('.')} ({about})",
            origins.find(violation.focus, violation.path),
            severity=_SEVERITIES.get(shape.severity if shape else "Violation", Severity.ERROR),
            hint=None if shape else f"the shape is {violation.shape}",
        )
