"""The terms of the project's ontology and of the tool's vocabulary, as a page shows them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from kgbuild.nodes import Node, one
from kgbuild.project import Project
from kgbuild.site.render import anchor
from kgbuild.store import lexical
from kgbuild.terms import DCTERMS, KGB, OWL, RDFS, SCHEMA, SKOS, TYPE, compress
from kgbuild.views import MATCHES, Views

_NAMED = (
    (RDFS + "subClassOf", "Below"),
    (RDFS + "subPropertyOf", "Below"),
    (OWL + "inverseOf", "Inverse"),
    (RDFS + "domain", "Domain"),
    (RDFS + "range", "Range"),
    (SCHEMA + "domainIncludes", "Subject may be"),
    (SCHEMA + "rangeIncludes", "Object may be"),
    (OWL + "disjointWith", "Disjoint with"),
    (SKOS + "broader", "Broader"),
    (KGB + "evidenceType", "ECO class"),
)
_SAID = (
    (SKOS + "notation", "In source files"),
    (KGB + "rank", "Rank"),
    (KGB + "cue", "Cue words"),
    (KGB + "hedgedAlias", "Alias in source files"),
    (KGB + "restricts", "Narrows the claim"),
)
_KINDS = (
    (OWL + "Class", "Classes"),
    (KGB + "ClaimPredicate", "Predicates of claims"),
    (OWL + "ObjectProperty", "Other relations"),
    (OWL + "DatatypeProperty", "Properties with a value"),
    (OWL + "AnnotationProperty", "Annotation properties"),
    (SKOS + "ConceptScheme", "Schemes"),
    (SKOS + "Concept", "Concepts"),
)
KINDS = tuple(name for _, name in _KINDS)
"""The kinds of terms in the order in which the page shows them."""


@dataclass(frozen=True, slots=True)
class Term:
    """A term with what its vocabulary says of it; `named` are IRIs, `said` are texts, each under a name."""

    iri: str
    id: str
    curie: str
    label: str
    kind: str
    definition: str
    examples: tuple[str, ...]
    notes: tuple[str, ...]
    named: tuple[tuple[str, tuple[str, ...]], ...]
    said: tuple[tuple[str, tuple[str, ...]], ...]
    scheme: str = ""
    rank: int | None = None
    inverse: str = ""
    symmetric: bool = False
    restricts: bool = False


@dataclass(frozen=True, slots=True)
class Scheme:
    """A scheme with its concepts, the highest rank first, then by label."""

    term: Term
    concepts: tuple[Term, ...]


@dataclass(frozen=True, slots=True)
class Ontology:
    """The header of an ontology."""

    iri: str
    title: str
    description: str
    version: str


@dataclass(frozen=True, slots=True)
class Branch:
    """A term with the terms below it, and how many things are of it or of one below."""

    term: Term
    below: tuple[Branch, ...]
    count: int


def hierarchy(found: Iterable[Term], counts: Mapping[str, int]) -> tuple[Branch, ...]:
    """Return terms as a forest by what they are below; one that stands below several stands in each place.

    `counts` are the things of each term itself. A term that is its own ancestor is no branch of itself.
    """
    known = {term.iri: term for term in found}
    children: dict[str, list[Term]] = defaultdict(list)
    for term in known.values():
        for above in set(_above(term)) & known.keys():
            children[above].append(term)

    def branch(term: Term, path: frozenset[str]) -> Branch:
        below = [
            branch(child, path | {term.iri})
            for child in sorted(children[term.iri], key=lambda item: (item.label.casefold(), item.iri))
            if child.iri not in path and child.iri != term.iri
        ]
        return Branch(term, tuple(below), counts.get(term.iri, 0) + sum(item.count for item in below))

    tops = [term for term in known.values() if not set(_above(term)) & known.keys() - {term.iri}]
    return tuple(branch(term, frozenset()) for term in sorted(tops, key=lambda item: (item.label.casefold(), item.iri)))


def _above(term: Term) -> tuple[str, ...]:
    return next((values for name, values in term.named if name == "Below"), ())


def terms(views: Views, project: Project) -> tuple[Term, ...]:
    """Return the terms of both vocabularies, the project's first, each with an identifier unique on one page."""
    taken: set[str] = set()
    found = []
    for space in (project.namespace, KGB):
        for iri, node in views.described.items():
            if iri.startswith(space) and len(iri) > len(space):
                name = anchor(iri.removeprefix(space))
                name = name if name not in taken else f"{name}~{len(taken)}"
                taken.add(name)
                found.append(_term(iri, name, node, views))
    return tuple(found)


def _term(iri: str, name: str, node: Node, views: Views) -> Term:
    types = {lexical(item) for item in node.get(TYPE, ())}
    matches = tuple((SKOS + match, f"{match.removesuffix('Match').capitalize()} match") for match in MATCHES)
    rank = one(node, KGB + "rank")
    return Term(
        iri=iri,
        id=name,
        curie=compress(iri, views.prefixes),
        label=views.label(iri),
        kind=next((words for kind, words in _KINDS if kind in types), "Other terms"),
        definition=views.text(node, SKOS + "definition"),
        examples=_values(node, SKOS + "example"),
        notes=_values(node, SKOS + "scopeNote"),
        named=tuple((words, _values(node, key)) for key, words in (*_NAMED, *matches) if key in node),
        said=tuple((words, _values(node, key)) for key, words in _SAID if key in node),
        scheme=one(node, SKOS + "inScheme"),
        rank=int(rank) if rank.lstrip("-").isdigit() else None,
        inverse=one(node, OWL + "inverseOf"),
        symmetric=OWL + "SymmetricProperty" in types,
        restricts=one(node, KGB + "restricts") == "true",
    )


def _values(node: Node, predicate: str) -> tuple[str, ...]:
    return tuple(sorted({lexical(item) for item in node.get(predicate, ())}))


def schemes(found: tuple[Term, ...]) -> tuple[Scheme, ...]:
    """Return the schemes with their concepts, in the order of their labels."""
    heads = sorted((term for term in found if term.kind == "Schemes"), key=lambda term: (term.label, term.iri))
    return tuple(
        Scheme(head, tuple(sorted((term for term in found if term.scheme == head.iri), key=_order))) for head in heads
    )


def _order(term: Term) -> tuple[int, str, str]:
    return (-1 - term.rank if term.rank is not None else 0, term.label, term.iri)


def ontologies(views: Views) -> tuple[Ontology, ...]:
    """Return the headers of the ontologies in the graph, by IRI."""
    return tuple(
        Ontology(
            iri=iri,
            title=views.text(node, DCTERMS + "title"),
            description=views.text(node, DCTERMS + "description"),
            version=one(node, OWL + "versionInfo"),
        )
        for iri, node in views.nodes("?s a owl:Ontology .").items()
    )
