"""Facets: by which words the claims can be browsed, and which claims stand under each.

Pure: values in, values out; no HTML.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass

from kgbuild.nodes import ConceptView, Link
from kgbuild.site.facts import OUTCOMES, outcome
from kgbuild.terms import kebab
from kgbuild.views import ClaimView


@dataclass(frozen=True, slots=True)
class Value:
    """A value of a facet with its claims; `slug` names its page, `rank` fills its bar."""

    slug: str
    term: Link | ConceptView
    claims: tuple[ClaimView, ...]

    @property
    def label(self) -> str:
        """Return the word for it."""
        return self.term.label or "not recorded"

    @property
    def definition(self) -> str:
        """Return what its scheme says of it, if it stands in one."""
        return self.term.definition if isinstance(self.term, ConceptView) else ""


@dataclass(frozen=True, slots=True)
class FacetGroup:
    """A facet: its name, what it tells, and its values."""

    slug: str
    name: str
    words: str
    values: tuple[Value, ...]


def facet_groups(claims: Iterable[ClaimView], categories: Mapping[str, Link]) -> tuple[FacetGroup, ...]:
    """Return every facet that has a value; `categories` are those of entities by the IRI of the entity."""
    found = tuple(claims)

    def category(claim: ClaimView) -> Iterator[Link]:
        for thing in (claim.subject, claim.object):
            if thing.iri in categories:
                yield categories[thing.iri]

    facets: tuple[tuple[str, str, str, Callable[[ClaimView], Iterable[Link | ConceptView]]], ...] = (
        ("certainty", "Certainty", "How firmly the author commits to it.", lambda claim: (claim.certainty,)),
        ("said", "Tone", "Stated flatly, hedged, or denied.", _tone),
        ("basis", "Basis", "What the author rests it on.", lambda claim: (claim.basis,)),
        ("kind", "Kind", "What the sentence does.", lambda claim: (Link("", claim.kind),)),
        ("data", "Data and studies", "How datasets and studies stand to it.", _outcome),
        ("category", "Category", "What kind of thing it joins.", category),
    )
    groups = []
    for slug, name, words, values in facets:
        group = _values(slug, found, values)
        if group:
            groups.append(FacetGroup(slug, name, words, group))
    return tuple(groups)


def _tone(claim: ClaimView) -> Iterable[Link]:
    words = ("hedged",) * claim.hedged + ("negated",) * claim.negated
    return [Link("", word) for word in words or ("asserted",)]


def _outcome(claim: ClaimView) -> Iterable[Link]:
    return [Link("", outcome(claim))] if claim.alignments else []


def _values(
    facet: str, claims: Iterable[ClaimView], values: Callable[[ClaimView], Iterable[Link | ConceptView]]
) -> tuple[Value, ...]:
    grouped: dict[Link | ConceptView, list[ClaimView]] = defaultdict(list)
    for claim in claims:
        for value in dict.fromkeys(values(claim)):
            if value.label:
                grouped[value].append(claim)
    made = [Value(f"{facet}-{_slug(value)}", value, tuple(group)) for value, group in grouped.items()]
    return tuple(sorted(made, key=_order))


def _slug(value: Link | ConceptView) -> str:
    if isinstance(value, ConceptView):
        return value.slug.rpartition("#")[2]
    return kebab(value.iri.rpartition("#")[2].rpartition("/")[2] or value.label.replace(" ", "-"))


def _order(value: Value) -> tuple[int, int, str]:
    rank = value.term.rank if isinstance(value.term, ConceptView) else None
    if rank is None and value.label in OUTCOMES:
        rank = -OUTCOMES.index(value.label)
    return -(rank or 0), -len(value.claims), value.label
