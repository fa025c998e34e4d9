"""What the pictures of the graph show: the things around an entity, all entities, and their categories.

A line never says more than the weakest claim it stands for, and its tooltip tells certainty, source and place.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass

from kgbuild.nodes import Link
from kgbuild.site.facts import edge
from kgbuild.site.pictures import Chord, Node, Spoke
from kgbuild.site.render import Here, counted, plain
from kgbuild.views import ClaimView, EntityView

DRAWN = 240
"""Things drawn on the ring of the whole graph: those that most claims name."""

_TOLD = 3


@dataclass(frozen=True, slots=True)
class Group:
    """The claims that share a relation and a direction."""

    id: str
    label: str
    claims: tuple[ClaimView, ...]


def summary(claims: Sequence[ClaimView]) -> str:
    """Say in a few words how sure some claims are: the certainty of one, the sums of several."""
    if len(claims) == 1:
        claim = claims[0]
        words = [*(["negated"] if claim.negated else []), (claim.certainty.label or "not recorded").lower()]
        words += [claim.modality.label.lower()] if claim.hedged and claim.certainty.slug == "asserted" else []
        return ", ".join(words)
    hedged, negated = sum(claim.hedged for claim in claims), sum(claim.negated for claim in claims)
    parts = [counted(len(claims), "claim")]
    parts += [f"{hedged} hedged"] if hedged else []
    parts += [f"{negated} negated"] if negated else []
    return ", ".join(parts)


def weakest(claims: Iterable[ClaimView]) -> str:
    """Return the edge of a line: negated or hedged if any of its claims is."""
    edges = {word for claim in claims for word in edge(claim).split()}
    return " ".join(word for word in ("negated", "hedged") if word in edges) or "asserted"


def told(claims: Sequence[ClaimView]) -> str:
    """Spell claims for a tooltip, each with certainty, source and place."""
    lines = []
    for claim in claims[:_TOLD]:
        place = ", ".join(f"sentence {sentence.number}" for sentence in claim.sentences) or "place not recorded"
        source = claim.attributed_to.label or "source not recorded"
        lines.append(f"{plain(claim.statement)} ({summary([claim])}; {plain(source, 40)}, {place})")
    lines += [f"and {len(claims) - _TOLD} more"] if len(claims) > _TOLD else []
    return "\n".join(lines)


def spokes(entity: EntityView, groups: Iterable[Group], here: Here, linked: Collection[str]) -> list[Spoke]:
    """Return the things around an entity, those with most claims first; `linked` are the entities with a page."""
    claims: dict[str, list[ClaimView]] = defaultdict(list)
    words: dict[str, dict[str, None]] = defaultdict(dict)
    names: dict[str, Link] = {}
    for group in groups:
        for claim in group.claims:
            other = claim.object if claim.subject.iri == entity.iri else claim.subject
            if other.iri in linked and other.iri != entity.iri:
                names[other.iri] = other
                words[other.iri][group.label] = None
                claims[other.iri].append(claim)
    order = sorted(
        names, key=lambda iri: (-len(claims[iri]), -sum(claim.hedged for claim in claims[iri]), names[iri].label)
    )
    return [
        Spoke(
            address=here.address(iri),
            label=names[iri].label,
            relation=_relations(list(words[iri])),
            said=summary(claims[iri]),
            edge=weakest(claims[iri]),
            outgoing=any(claim.subject.iri == entity.iri for claim in claims[iri]),
            title=told(claims[iri]),
        )
        for iri in order
    ]


def _relations(labels: Sequence[str]) -> str:
    return labels[0] if len(labels) == 1 else f"{plain(labels[0], 19)} + {len(labels) - 1}"


def joined(claims: Iterable[ClaimView], known: Iterable[str]) -> dict[tuple[str, str], list[ClaimView]]:
    """Return the claims that join two different things out of some, by subject and object."""
    inside = set(known)
    found: dict[tuple[str, str], list[ClaimView]] = defaultdict(list)
    for claim in claims:
        start, end = claim.subject.iri, claim.object.iri
        if start != end and start in inside and end in inside:
            found[start, end].append(claim)
    return dict(sorted(found.items()))


def whole(
    entities: Iterable[EntityView], claims: Sequence[ClaimView], here: Here
) -> tuple[list[Link], list[Node], list[Chord], int]:
    """Return categories, things and chords of the whole graph, and how many joined things are left out."""
    by_iri = {entity.iri: entity for entity in entities}
    pairs = joined(claims, by_iri)
    weights = Counter(iri for pair, found in pairs.items() for iri in pair for _ in found)
    order = sorted(weights, key=lambda iri: (-weights[iri], iri))
    kept = [by_iri[iri] for iri in order[:DRAWN]]
    categories = sorted({entity.category for entity in kept}, key=lambda link: (link.label.casefold(), link.iri))
    number = {category.iri: place for place, category in enumerate(categories)}
    nodes = [
        Node(item.iri, item.label, here.address(item.iri), weights[item.iri], number[item.category.iri])
        for item in sorted(kept, key=lambda item: (item.label.casefold(), item.iri))
    ]
    shown = {node.key for node in nodes}
    chords = [
        Chord(start, end, here.address(found[0].iri), weakest(found), told(found))
        for (start, end), found in pairs.items()
        if start in shown and end in shown
    ]
    return categories, nodes, chords, len(order) - len(kept)


def between(entities: Iterable[EntityView], claims: Iterable[ClaimView], here: Here) -> tuple[list[Node], list[Chord]]:
    """Return the categories as things on a ring, and as chords how many claims join two of them."""
    category = {entity.iri: entity.category for entity in entities}
    pairs: dict[tuple[str, str], list[ClaimView]] = defaultdict(list)
    weights: Counter[str] = Counter()
    for claim in claims:
        ends = [category[iri].iri for iri in (claim.subject.iri, claim.object.iri) if iri in category]
        weights.update(set(ends))
        if len(ends) == 2 and ends[0] != ends[1]:
            pairs[min(ends), max(ends)].append(claim)
    links = sorted({link for link in category.values() if weights[link.iri]}, key=lambda link: (link.label, link.iri))
    names = {link.iri: link.label for link in links}
    page = here.file("graph.html")
    nodes = [Node(link.iri, link.label, here.address(link.iri) or page, weights[link.iri], 0) for link in links]
    chords = [
        Chord(start, end, page, weakest(found), f"{names[start]} and {names[end]}: {summary(found)}", len(found))
        for (start, end), found in sorted(pairs.items())
    ]
    return nodes, chords
