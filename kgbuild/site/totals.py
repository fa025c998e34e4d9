"""How much a graph holds, in numbers: counted from views, or by queries where the views of all would be too many."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

import pyoxigraph as ox

from kgbuild.excerpts import Asking, Rows, about_claims, ask, constant
from kgbuild.nodes import ConceptView
from kgbuild.project import Project
from kgbuild.site.facts import tally
from kgbuild.store import OxigraphStore, Store
from kgbuild.views import Views

_KIND: Final = "SELECT (COUNT(DISTINCT ?s) AS ?n) WHERE {{ ?s a {} }}"
_CERTAINTIES: Final = (
    "SELECT ?certainty (COUNT(DISTINCT ?s) AS ?n) (IRI(MIN(STR(?s))) AS ?first) "
    "WHERE { ?s a kgb:Claim ; kgb:certainty ?certainty } GROUP BY ?certainty"
)
_BUSIEST: Final = (
    "SELECT ?thing ?n WHERE { { SELECT ?thing (COUNT(DISTINCT ?claim) AS ?n) WHERE { ?claim a kgb:Claim . "
    "?claim rdf:subject|rdf:object ?thing } GROUP BY ?thing } FILTER EXISTS { ?thing a kgb:Entity } } "
    "ORDER BY DESC(?n) ?thing LIMIT 8"
)
_LAST: Final = (
    "SELECT ?claim WHERE { { SELECT ?claim (CONCAT(STR(?day), STR(?claim)) AS ?key) WHERE { "
    "?np npx:introduces ?claim ; dcterms:created ?day . ?claim a kgb:Claim } } } ORDER BY DESC(?key) LIMIT 200"
)


@dataclass(frozen=True, slots=True)
class Totals:
    """How much there is; `certainties` are counts by IRI, `examples` a claim of each, `busiest` counts by IRI."""

    claims: int
    entities: int
    articles: int
    sentences: int
    mappings: int
    statements: int
    hedged: int
    negated: int
    unsourced: int
    certainties: dict[str, int] = field(default_factory=dict)
    examples: dict[str, str] = field(default_factory=dict)
    busiest: dict[str, int] = field(default_factory=dict)
    last: tuple[str, ...] = ()

    def tally(self, views: Views) -> list[tuple[ConceptView, int]]:
        """Return the counts by certainty, the surest first."""
        found = [(views.concept(iri), count) for iri, count in self.certainties.items()]
        return sorted(found, key=lambda item: (-(item[0].rank or 0), item[0].iri))


def totals_of(views: Views) -> Totals:
    """Count what views hold."""
    claims = views.claims
    return Totals(
        claims=len(claims),
        entities=len(views.entities),
        articles=len(views.articles),
        sentences=len(views.sentences),
        mappings=sum(len(entity.mappings) for entity in views.entities),
        statements=sum(dataset.size for dataset in views.datasets),
        hedged=sum(claim.hedged for claim in claims),
        negated=sum(claim.negated for claim in claims),
        unsourced=sum(claim.basis.slug == "unsourced" for claim in claims),
        certainties={concept.iri: count for concept, count in tally(claims)},
        examples={claim.certainty.iri: claim.iri for claim in reversed(claims)},
    )


def asked_totals() -> Asking[Totals]:
    """Ask for the totals, the things that most claims name, and the claims recorded last."""
    kinds = ("kgb:Claim", "kgb:Entity", "kgb:Article", "kgb:Sentence", "sssom:Mapping", "kgb:DatasetStatement")
    counts = []
    for kind in kinds:
        rows = yield _KIND.format(kind)
        counts.append(_number(rows))
    claims, entities, articles, sentences, mappings, statements = counts
    certainties = yield _CERTAINTIES
    hedged = yield (
        "SELECT (COUNT(DISTINCT ?s) AS ?n) WHERE { ?s a kgb:Claim ; kgb:certainty ?certainty ; kgb:modality ?modality "
        "FILTER(?certainty != kgb:certainty-asserted || ?modality = kgb:modality-potential) }"
    )
    negated = yield _KIND.format("kgb:Claim ; kgb:polarity kgb:polarity-negated")
    unsourced = yield "SELECT (COUNT(DISTINCT ?s) AS ?n) WHERE { ?s kgb:evidenceBasis kgb:basis-unsourced }"
    busiest = yield _BUSIEST
    last = yield _LAST
    return Totals(
        claims=claims,
        entities=entities,
        articles=articles,
        sentences=sentences,
        mappings=mappings,
        statements=statements,
        hedged=_number(hedged),
        negated=_number(negated),
        unsourced=_number(unsourced),
        certainties={_iri(row[0]): int(_text(row[1])) for row in certainties},
        examples={_iri(row[0]): _iri(row[2]) for row in certainties},
        busiest={_iri(row[0]): int(_text(row[1])) for row in busiest},
        last=tuple([_iri(row[0]) for row in last]),
    )


@dataclass(frozen=True, slots=True)
class Overview:
    """What the pages of a large graph show: totals, and the views of an excerpt with the things that they name."""

    totals: Totals
    views: Views

    @property
    def things(self) -> int:
        """Return how many things would have a page of their own."""
        return self.totals.claims + self.totals.entities + self.totals.articles


def overview(store: Store, project: Project) -> Overview:
    """Ask a store for the overview of its graph."""
    totals = ask(asked_totals(), store, project.prefixes)
    claims = dict.fromkeys((*totals.examples.values(), *totals.last))
    found = ask(about_claims(project.base, claims, totals.busiest), store, project.prefixes)
    rest = ask(constant(project.base), store, project.prefixes)
    excerpt = OxigraphStore(ox.Store())
    excerpt.extend({*found.quads, *rest})
    return Overview(totals, Views(excerpt, project.base, project.prefixes, project.fallback))


def _number(rows: Rows) -> int:
    return int(_text(rows[0][0])) if rows else 0


def _iri(term: object) -> str:
    return term.value if isinstance(term, ox.NamedNode) else ""


def _text(term: object) -> str:
    return term.value if isinstance(term, ox.Literal) else "0"
