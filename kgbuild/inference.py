"""Inference: what follows by a few rules from the plain triples, the entities and the ontologies, and how.

Nothing follows from a claim that is hedged, limited or denied: only from what `graph/asserted` holds. A triple that a
claim says without licensing it is withheld: it stands with the certainty its claim gives it, and nowhere else.
"""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from kgbuild.lines import nquads
from kgbuild.store import OxigraphStore, Solutions, Store
from kgbuild.terms import OWL, PREFIXES, PROV, RDFS, XSD, expand, literal
from kgbuild.trusty import Quad

GRAPH: Final = "inferred"
PREMISES: Final = ("asserted", "entities", "ontology")
"""The graphs that inference reads."""

Triple = tuple[str, str, str]
"""Three terms in N-Quads spelling; in a pattern a term can be a variable, such as `?x`."""


@dataclass(frozen=True, slots=True)
class Rule:
    """A rule: if all premises hold, so does the conclusion."""

    name: str
    words: str
    premises: tuple[Triple, ...]
    conclusion: Triple


def _pattern(text: str) -> Triple:
    terms = [term if term.startswith(("?", '"')) else f"<{expand(term, PREFIXES)}>" for term in text.split()]
    return terms[0], terms[1], terms[2]


def _rule(name: str, premises: str, conclusion: str, words: str) -> Rule:
    return Rule(name, words, tuple(map(_pattern, premises.split(" . "))), _pattern(conclusion))


_TRUE: Final = literal("true", datatype=XSD + "boolean")
RULES: Final = (
    _rule(
        "class-hierarchy", "?x rdf:type ?c . ?c rdfs:subClassOf ?d", "?x rdf:type ?d",
        "what belongs to a class belongs to the classes above it",
    ),
    _rule(
        "predicate-hierarchy", "?x ?p ?y . ?p rdfs:subPropertyOf ?q", "?x ?q ?y",
        "what a predicate joins, the predicates above it join as well",
    ),
    _rule(
        "inverse", "?x ?p ?y . ?p owl:inverseOf ?q", "?y ?q ?x",
        "what a predicate joins, its inverse joins the other way round",
    ),
    _rule(
        "symmetry", "?x ?p ?y . ?p rdf:type owl:SymmetricProperty", "?y ?p ?x",
        "a symmetric predicate holds both ways",
    ),
    _rule(
        "transitivity", "?x ?p ?y . ?y ?p ?z . ?p rdf:type owl:TransitiveProperty", "?x ?p ?z",
        "a transitive predicate holds along a chain",
    ),
    _rule(
        "narrower", f"?x skos:broader ?y . ?y ?p ?z . ?p kgb:passesToNarrower {_TRUE}", "?x ?p ?z",
        "what is said of a broader entity holds of a narrower one, for predicates that pass it on",
    ),
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Step:
    """How a triple was inferred: the rule, and the premises in the rule's order."""

    rule: Rule
    premises: tuple[Triple, ...]


@dataclass(frozen=True, slots=True)
class Facts:
    """What inference starts from: each triple with the graph it stands in; `kept` are those only claims may say."""

    given: Mapping[Triple, str]
    kept: frozenset[Triple]


@dataclass(frozen=True, slots=True)
class Inference:
    """The inferred triples, each with the first step that leads to it, and those withheld in the same form."""

    facts: Facts
    steps: Mapping[Triple, Step]
    withheld: Mapping[Triple, Step]


def read_facts(store: Store, base: str) -> Facts:
    """Read from a store what inference starts from, in the order of the terms."""
    graphs = {name: f"<{base}graph/{name}>" for name in PREMISES}
    asserted = _triples(store, f"GRAPH {graphs['asserted']} {{ ?s ?p ?o }}")
    entities = _triples(store, f"GRAPH {graphs['entities']} {{ VALUES ?p {{ rdf:type skos:broader }} ?s ?p ?o }}")
    axioms = "rdfs:subClassOf rdfs:subPropertyOf kgb:passesToNarrower"
    ontology = _triples(store, f"GRAPH {graphs['ontology']} {{ VALUES ?p {{ {axioms} }} ?s ?p ?o }}")
    types = "VALUES ?o { owl:SymmetricProperty owl:TransitiveProperty }"
    ontology |= _triples(store, f"GRAPH {graphs['ontology']} {{ {types} VALUES ?p {{ rdf:type }} ?s ?p ?o }}")
    ontology |= _triples(
        store,
        f"GRAPH {graphs['ontology']} {{ {{ ?s owl:inverseOf ?o }} UNION {{ ?o owl:inverseOf ?s }} }}"
        " BIND(owl:inverseOf AS ?p)",
    )
    said = _triples(store, "?c a kgb:Claim ; rdf:subject ?s ; rdf:predicate ?p ; rdf:object ?o")
    named = {"asserted": asserted, "entities": entities, "ontology": ontology}
    given = {triple: name for name in reversed(PREMISES) for triple in sorted(named[name])}
    return Facts(given, frozenset(both_ways(said - asserted, ontology) - asserted))


def _triples(store: Store, pattern: str) -> set[Triple]:
    answer = store.query(f"SELECT DISTINCT ?s ?p ?o WHERE {{ {pattern} }}", PREFIXES)
    assert isinstance(answer, Solutions)
    return {(str(s), str(p), str(o)) for s, p, o in answer.rows}


def both_ways(triples: Iterable[Triple], ontology: Iterable[Triple]) -> set[Triple]:
    """Return triples with the same said by the inverse of their predicate, or the other way where it is symmetric."""
    other = defaultdict(set)
    for subject, predicate, target in ontology:
        if predicate == f"<{OWL}inverseOf>":
            other[subject].add(target)
        elif target == f"<{OWL}SymmetricProperty>":
            other[subject].add(subject)
    found = set(triples)
    return found | {(target, turned, subject) for subject, predicate, target in found for turned in other[predicate]}


def infer(facts: Facts) -> Inference:
    """Apply the rules until nothing new follows; the same facts give the same steps."""
    known = _Index()
    steps: dict[Triple, Step] = {}
    withheld: dict[Triple, Step] = {}
    waiting = deque(facts.given)
    seen = set(facts.given)
    while waiting:
        triple = waiting.popleft()
        known.add(triple)
        for conclusion, step in _conclusions(triple, known):
            subject, _, target = conclusion
            if conclusion in seen or subject == target or subject.startswith('"'):
                continue
            seen.add(conclusion)
            if conclusion in facts.kept:
                withheld[conclusion] = step
            else:
                steps[conclusion] = step
                waiting.append(conclusion)
    return Inference(facts, steps, withheld)


def without(facts: Facts, triple: Triple) -> Facts:
    """Return the facts as they would be without a triple, which may then be inferred."""
    return Facts({fact: graph for fact, graph in facts.given.items() if fact != triple}, facts.kept - {triple})


def inferred_quads(inference: Inference, base: str) -> tuple[Quad, ...]:
    """Return the graph of what was inferred, and its record: what it is derived from."""
    own = f"<{base}graph/{GRAPH}>"
    record = f"<{base}graph/void>"
    words = literal("What follows by the rules of kgbuild from the plain triples; no claim says it.", language="en")
    quads = [(own, *triple) for triple in inference.steps]
    quads += [(record, own, f"<{PROV}wasDerivedFrom>", f"<{base}graph/{name}>") for name in PREMISES]
    quads.append((record, own, f"<{RDFS}comment>", words))
    return tuple(sorted(quads))


def with_inferred(store: OxigraphStore, base: str) -> OxigraphStore:
    """Add the inferred graph to a store in memory, and return the store."""
    store.add(nquads(inferred_quads(infer(read_facts(store, base)), base)).encode("utf-8"))
    return store


class _Index:
    """Triples, found by any bound subject or predicate."""

    def __init__(self) -> None:
        self.all: set[Triple] = set()
        self.by_subject: dict[str, list[Triple]] = defaultdict(list)
        self.by_predicate: dict[str, list[Triple]] = defaultdict(list)
        self.by_both: dict[tuple[str, str], list[Triple]] = defaultdict(list)
        self.by_target: dict[tuple[str, str], list[Triple]] = defaultdict(list)

    def add(self, triple: Triple) -> None:
        subject, predicate, target = triple
        self.all.add(triple)
        self.by_subject[subject].append(triple)
        self.by_predicate[predicate].append(triple)
        self.by_both[subject, predicate].append(triple)
        self.by_target[predicate, target].append(triple)

    def matches(self, pattern: Triple) -> Iterable[Triple]:
        """Return the triples that may fit a pattern of which subject or predicate is bound."""
        subject, predicate, target = pattern
        if not _open(predicate):
            if not _open(subject):
                return (pattern,) if pattern in self.all else self.by_both.get((subject, predicate), ())
            return (
                self.by_predicate.get(predicate, ()) if _open(target) else self.by_target.get((predicate, target), ())
            )
        return self.by_subject.get(subject, ())


Binding = dict[str, str]


def _open(term: str) -> bool:
    return term.startswith("?")


def _conclusions(triple: Triple, known: _Index) -> Iterator[tuple[Triple, Step]]:
    """Return what follows by one rule from a new triple together with those known, itself among them."""
    for rule in RULES:
        for place, premise in enumerate(rule.premises):
            binding = _unify(premise, triple, {})
            if binding is None:
                continue
            rest = rule.premises[:place] + rule.premises[place + 1 :]
            for found in _solve(rest, binding, known):
                step = Step(rule, tuple(_filled(pattern, found) for pattern in rule.premises))
                yield _filled(rule.conclusion, found), step


def _solve(patterns: tuple[Triple, ...], binding: Binding, known: _Index) -> Iterator[Binding]:
    """Return every way to fit all patterns, the pattern with the fewest open terms first."""
    if not patterns:
        yield binding
        return
    filled = [_filled(pattern, binding) for pattern in patterns]
    first = min(range(len(filled)), key=lambda place: sum(map(_open, filled[place])))
    rest = patterns[:first] + patterns[first + 1 :]
    for triple in tuple(known.matches(filled[first])):
        found = _unify(patterns[first], triple, binding)
        if found is not None:
            yield from _solve(rest, found, known)


def _unify(pattern: Triple, triple: Triple, binding: Binding) -> Binding | None:
    found = dict(binding)
    for wanted, term in zip(pattern, triple, strict=True):
        if not _open(wanted):
            if wanted != term:
                return None
        elif found.setdefault(wanted, term) != term:
            return None
    return found


def _filled(pattern: Triple, binding: Binding) -> Triple:
    subject, predicate, target = (binding.get(term, term) for term in pattern)
    return subject, predicate, target
