"""SHACL validation: pySHACL is the authority, a fast engine screens shards, whole-graph rules run on the store.

A constraint with `sh:sparql` is a whole-graph rule: its SELECT runs once over the union of all graphs instead of once
per focus node. Local shapes are screened per shard by the `shacl` package; what does not conform is judged by pySHACL,
whose report is published. What the package may miss is judged by pySHACL in any case, and what is neither local nor
such a rule on the whole graph. Without the package pySHACL judges every shard.
"""

from __future__ import annotations

import os
import re
from bisect import bisect_right
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cache
from itertools import accumulate
from typing import TYPE_CHECKING

import pyoxigraph as ox

from kgbuild.claims import CLAIM_FIELDS, ENTITY_FIELDS, KINDS, Place
from kgbuild.datasets import DATASET_FIELDS, RECORD_FIELDS, STATEMENT_FIELDS, VERDICT_FIELDS
from kgbuild.diagnostics import Report, Severity, Span
from kgbuild.ontology import locate
from kgbuild.project import Project
from kgbuild.source import Source
from kgbuild.sources import Sources
from kgbuild.store import OxigraphStore, QuerySyntaxError, Solutions, Store, tokens
from kgbuild.terms import DCTERMS, KGB, NP, OA, RDFS, SH, SSSOM, XSD, compress
from kgbuild.trust import INTRODUCES, PARTS, Description, Laws, implicit

if TYPE_CHECKING:
    import rdflib

ENGINES = ("auto", "pyshacl")
_TIERS = (*VERDICT_FIELDS, *RECORD_FIELDS, *STATEMENT_FIELDS, *DATASET_FIELDS)
_KEYS = {field.property: field.key for field in (*_TIERS, *ENTITY_FIELDS, *CLAIM_FIELDS) if field.property}
_OF_ARTICLES = frozenset(
    {f"{KGB}{name}" for name in ("Article", "Claim", "Section", "Sentence")}
    | {*KINDS.values(), f"{OA}TextPositionSelector", f"{NP}Nanopublication", f"{SSSOM}Mapping"}
)
_SELECT = re.compile(r"SELECT\s+(?:DISTINCT\s+)?(.*?)\s*(?:WHERE\s*)?\{", re.DOTALL | re.IGNORECASE)
_ANEW = frozenset({"MINUS", "VALUES", "GRAPH", "SERVICE", "GROUP", "HAVING", "LIMIT", "OFFSET", "FROM"})
_THIS = ("$this", "?this")
_JOINS = frozenset(f"<{predicate}>" for predicate in (*PARTS, INTRODUCES))
_TAG = re.compile(r'(?<=")@[a-z0-9-]*[A-Z][A-Za-z0-9-]* \.$', re.MULTILINE)
_UPPER = re.compile(r'"@[a-z0-9-]*[A-Z]')
_SUBCLASS = f"<{RDFS}subClassOf>"
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
    """The shapes of a project as N-Triples, the whole-graph rules, and where they stand.

    Of the `whole`, the `local` shapes may be judged shard by shard; the `wide` ones, and the constraints that are no
    rules, only on the whole graph.
    """

    described: dict[str, Shape]
    whole: str
    local: str
    wide: str
    rules: tuple[Rule, ...]
    place: Span | None = None
    far: tuple[str, ...] = ()
    """The codes, or IRIs, of the shapes that are wide."""


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
    laws = Laws(triples)
    by_subject = laws.about

    def one(subject: str, predicate: str) -> str:
        found = by_subject.get(subject, {}).get(predicate)
        return min(term.value for term in found) if found else ""

    places: dict[str, Span] = {}
    for source in sources:
        places = locate(source) | places
    described = {}
    rules = []
    for subject, values in by_subject.items():
        if subject.startswith("<") and DCTERMS + "identifier" in values:
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
    done: set[tuple[str, str]] = set()
    focused = laws.focused()
    used = {shape for focus in focused for shape in laws.within(focus)}
    for subject, values in by_subject.items():
        for constraint in values.get(SH + "sparql", ()):
            iri, body = subject[1:-1] if subject.startswith("<") else "", by_subject.get(str(constraint), {})
            known = described.get(iri) or Shape(iri, iri or "without a name", "", "", "", "Violation", places.get(iri))
            if known.iri in described and not known.message:
                described[iri] = replace(known, message=one(str(constraint), SH + "message"))
            active = not any(_text(owner, SH + "deactivated") == "true" for owner in (values, body))
            select = _text(body, SH + "select")
            if active and subject not in used:
                _cannot_run(known, "the shape has no target", report)
            elif active and not _SELECT.search(select):
                _cannot_run(known, "it is no SELECT query", report)
            elif active and (subject not in focused or SH + "path" in values or not is_plain(select)):
                continue  # pySHACL runs it, for one focus node after the other
            elif active:
                prologue = "".join(_declared(by_subject, body.get(SH + "prefixes", ())))
                rules.append(Rule(iri, _target(subject, values), select, prologue, _text(body, KGB + "candidates")))
            done.add((subject, str(constraint)))
    sparql = ox.NamedNode(SH + "sparql")
    left = Laws(
        triple
        for triple in triples
        if triple.predicate != sparql or (str(triple.subject), str(triple.object)) not in done
    )
    local = {shape for shape in left.focused() if left.is_local(shape)}
    wide = set(left.focused()) - local
    own = sorted((source.path for source in sources), key=lambda path: path.startswith("kgbuild/"))
    return Shapes(
        described=described,
        whole=_turtle(triples),
        local=_turtle(left.without_targets(wide)),
        wide=_turtle(left.without_targets(local)) if wide else "",
        rules=tuple(sorted(rules, key=lambda rule: rule.shape)),
        place=Span(own[0]) if own else None,
        far=tuple(
            sorted({described[iri].code if iri in described else iri for iri in (name.strip("<>") for name in wide)})
        ),
    )


def _text(body: Description, predicate: str) -> str:
    return next((term.value for term in body.get(predicate, ())), "")


def _cannot_run(shape: Shape, why: str, report: Report) -> None:
    report.add("KG502", f"rule {shape.code} cannot run: {why}", shape.span, hint="correct its sh:select")


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


def _target(shape: str, values: Description) -> str:
    parts = [
        *(f"{{ $this a/<{RDFS}subClassOf>* {term} }}" for term in ([shape] if implicit(values) else ())),
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
    found = _SELECT.search(select)
    if found is None:
        raise ValueError("it is no SELECT query")
    inner = f"{first}{{ SELECT DISTINCT $this WHERE {{ {target} }} }}"
    return f"{select[: found.start()]}SELECT DISTINCT {found[1]} WHERE {{ {inner}{select[found.end() :]}"


def is_plain(select: str) -> bool:
    """Tell whether a SELECT finds for all focus nodes at once what it finds for one after the other.

    That is so where `$this` is a variable like any other: it is not made anew, not counted over, and bound before it is
    used in every group that is evaluated by itself.

    >>> is_plain("SELECT $this { $this a ?c . FILTER NOT EXISTS { $this a ?d } }")
    True
    >>> is_plain("SELECT $this { { ?s a ?c . FILTER(?s != $this) } UNION { $this a ?c } }")
    False
    """
    words = [token for token in tokens(select) if not token.isspace() and not token.startswith("#")]
    upper = [word.upper() for word in words]
    if upper.count("SELECT") != 1 or _ANEW.intersection(upper) or any("$PATH" in word for word in upper):
        return False
    made = any(word in _THIS and upper[number - 1] == "AS" for number, word in enumerate(words))
    groups = [number for number, word in enumerate(words) if word == "{"][1:]
    apart = (number for number in groups if upper[number - 1] != "EXISTS")
    return not made and all(words[number + 1] in _THIS for number in apart)


def values_of(found: Solutions) -> str:
    """Write solutions as a VALUES block.

    >>> values_of(Solutions(("value",), ((ox.NamedNode("v:"),), (None,))))
    'VALUES (?value) { (<v:>) (UNDEF) } '
    """
    rows = ["(" + " ".join("UNDEF" if term is None else str(term) for term in row) + ")" for row in found.rows]
    return f"VALUES ({' '.join(f'?{name}' for name in found.variables)}) {{ {' '.join(rows)} }} "


def check_rules(
    shapes: Shapes,
    store: OxigraphStore,
    report: Report,
    whole: OxigraphStore | None = None,
    beyond: Collection[Rule] = (),
) -> set[Violation]:
    """Run every whole-graph rule on the store, but those `beyond` it on the `whole`, and without one not at all.

    Shapes that are not local are judged on the whole graph, or not at all where that is nowhere.
    """
    everything = whole if beyond else store
    found: set[Violation] = set()
    if everything is not None and shapes.wide:
        found = Screen(shapes.wide, "auto").violations(everything.triples())
    for rule in shapes.rules:
        asked = whole if rule in beyond else store
        found |= set() if asked is None else _violations(rule, shapes, asked, report)
    return found


def rules_beyond(shapes: Shapes, large: bool, claims: bool) -> tuple[Rule, ...]:
    """Return the rules that may look at `large` tables; where these hold `claims`, that is every rule."""
    return tuple(rule for rule in shapes.rules if large and (claims or looks_beyond_claims(rule)))


def looks_beyond_claims(rule: Rule) -> bool:
    """Tell whether a rule may look at the statements of datasets: its targets are others than what articles hold.

    The statements of a dataset only ever describe themselves, so a rule about claims, sentences or mappings finds the
    same without them, unless it names them.
    """
    classes = re.findall(r"subClassOf>\* <([^>]+)>", rule.target)
    others = len(classes) < len(rule.target.split(" UNION "))
    return others or not _OF_ARTICLES.issuperset(classes) or "DatasetStatement" in rule.select


def _violations(rule: Rule, shapes: Shapes, store: Store, report: Report) -> set[Violation]:
    try:
        answer = solve(rule, store)
    except (QuerySyntaxError, ValueError) as error:
        _cannot_run(_described(shapes, rule), str(error), report)
        return set()
    # where ?value is not bound the value is the focus node itself (SHACL §5.3.1)
    return {
        Violation(rule.shape, row["this"], row.get("path", ""), row.get("value", row["this"])) for row in answer.dicts()
    }


def solve(rule: Rule, store: Store) -> Solutions:
    """Run a rule, on its candidates where it names some; raise `ValueError` where it does not select $this."""
    found: Solutions | None = None
    if rule.candidates:
        candidates = store.query(rule.prologue + rule.candidates)
        if not isinstance(candidates, Solutions):
            raise ValueError("its kgb:candidates is no SELECT query")
        if not candidates.rows:
            return Solutions(("this",), ())
        found = candidates if len(candidates.rows) <= _FEW else None
    answer = store.query(rule.sparql(found))
    if not isinstance(answer, Solutions) or "this" not in answer.variables:
        raise ValueError("it does not select $this")
    return answer


def _described(shapes: Shapes, rule: Rule) -> Shape:
    return shapes.described.get(rule.shape) or Shape(
        rule.shape, rule.shape or "without a name", "", "", "", "Violation"
    )


def fast_engine() -> str | None:
    """Return the name and version of the fast engine, or None where it is not installed."""
    try:
        import shacl
    except ImportError:
        return None
    return f"shacl {shacl.__version__}"


_screened: set[int] = set()
"""This process, once the fast engine is at work in it: forks lose its threads, and would wait for them forever."""


def has_screened() -> bool:
    """Tell whether the fast engine has run in this process, so that it cannot run in forks of it."""
    return os.getpid() in _screened


class Screen:
    """The shapes compiled once for the fast engine; what it finds, and what it may miss, is judged by pySHACL.

    Where it finds something, pySHACL judges only the shapes and, of `parts`, only the nodes that it named: parts of the
    graph in which local shapes find what they find in the whole.
    """

    def __init__(self, shapes: str, engine: str, *, parts: bool = False) -> None:
        self.text, self.parts = shapes, parts
        self.unscreened, self.compiled = shapes, None
        self.narrowed: dict[frozenset[str], str] = {}
        if engine != "auto" or not fast_engine():
            return
        import shacl

        _screened.add(os.getpid())
        self.laws = Laws(quad.triple for quad in ox.parse(shapes, ox.RdfFormat.N_TRIPLES))
        self.focused = frozenset(self.laws.focused())
        screened = frozenset(shape for shape in self.focused if self.laws.is_screened(shape))
        try:
            self.compiled = shacl.Shapes.from_text(self._only(screened), format="ntriples")
        except ValueError:
            return  # pySHACL has the last word on whether they are broken
        self.within = {shape: self.laws.within(shape) for shape in screened}
        self.unscreened = self._only(self.focused - screened) if self.focused - screened else ""

    def violations(self, *pieces: str) -> set[Violation]:
        """Validate the triples of a shard; what belongs to a node stands in the pieces that name it."""
        ntriples = "".join(pieces)
        found = judge(ntriples, self.unscreened) if self.unscreened else set()
        if self.compiled is not None:
            # pySHACL takes @EN and @en for the same
            lower = _TAG.sub(lambda tag: tag[0].lower(), ntriples) if _UPPER.search(ntriples) else ntriples
            results = self.compiled.validate_text(lower, format="ntriples").results
            if results:
                sources = {str(result.source_shape) for result in results}
                broken = frozenset(shape for shape, within in self.within.items() if within & sources)
                named = all(source.startswith("<") for source in sources)
                shapes = self._only(broken if named and broken else frozenset(self.within))
                nodes = {result.focus_node for result in results}
                if self.parts:
                    ntriples = whole_parts(_naming(ntriples, pieces, (*nodes, _SUBCLASS)), nodes)
                found |= judge(ntriples, shapes)
        return found

    def _only(self, shapes: frozenset[str]) -> str:
        if shapes not in self.narrowed:
            self.narrowed[shapes] = _turtle(self.laws.only(shapes))
        return self.narrowed[shapes]


def whole_parts(ntriples: str, nodes: set[str]) -> str:
    """Return the triples of some nodes, of their parts and of their nanopublications, and the hierarchy of classes."""
    by_subject: dict[str, list[str]] = {}
    joined: dict[str, set[str]] = {}
    lines = []
    for line in ntriples.split("\n"):
        subject, _, rest = line.partition(" ")
        predicate, _, target = rest.partition(" ")
        if predicate == _SUBCLASS:
            lines.append(line)
        by_subject.setdefault(subject, []).append(line)
        if predicate in _JOINS:
            joined.setdefault(subject, set()).add(target[:-2])
            joined.setdefault(target[:-2], set()).add(subject)
    todo, seen = list(nodes), set(nodes)
    while todo:
        node = todo.pop()
        lines += by_subject.get(node, ())
        new = joined.get(node, set()) - seen
        seen |= new
        todo += new
    return "\n".join(dict.fromkeys(lines)) + "\n"


def _naming(text: str, pieces: Sequence[str], words: Iterable[str]) -> str:
    """Return the pieces of a text that hold one of some words; to look for each in all of it is what is quick."""
    ends, found = list(accumulate(map(len, pieces))), set()
    for word in words:
        place = text.find(word)
        while place >= 0:
            number = bisect_right(ends, place)
            found.add(number)
            place = text.find(word, ends[number])
    return "".join([pieces[number] for number in sorted(found)])


def judge(ntriples: str, shapes: str) -> set[Violation]:
    """Validate triples with pySHACL and return its results; raise `BrokenShapesError` where it refuses the shapes."""
    import rdflib
    from pyshacl import validate
    from pyshacl.errors import ReportableRuntimeError

    data, laws = _as_written(ntriples), _as_written(shapes)
    try:
        _, results, _ = validate(data, shacl_graph=laws, advanced=False, allow_warnings=False)
    except (ReportableRuntimeError, ValueError, TypeError, ArithmeticError, re.error) as error:
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

    graph, string = rdflib.Graph(), XSD + "string"

    @cache
    def term(node: ox.NamedNode | ox.BlankNode | ox.Literal) -> rdflib.term.Node:
        if isinstance(node, ox.NamedNode):
            return rdflib.URIRef(node.value)
        if isinstance(node, ox.BlankNode):
            return rdflib.BNode(node.value)
        datatype = node.datatype.value
        if node.language or datatype == string:
            return rdflib.Literal(node.value, lang=node.language)
        return rdflib.Literal(node.value, datatype=rdflib.URIRef(datatype), normalize=False)

    for triple in ox.parse(ntriples, ox.RdfFormat.N_TRIPLES, lenient=True):
        graph.add((term(triple.subject), term(triple.predicate), term(triple.object)))
    return graph


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
