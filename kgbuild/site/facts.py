"""What pages say in words about claims: facets, edges, reasons, counts.

Pure: values in, values out; no HTML.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable
from dataclasses import dataclass

from kgbuild.claims import PLAIN_KINDS
from kgbuild.evidence import AlignmentSetView, AlignmentView, CriterionView
from kgbuild.views import ClaimView, ConceptView, Link

SEGMENTS = 5
OUTCOMES = ("Supported", "Supported and disputed", "Disputed", "Left open", "Not covered")


@dataclass(frozen=True, slots=True)
class Facet:
    """Something that must be read with a claim: its name, its value, and the fragment of its node, if it is one."""

    name: str
    value: Link | ConceptView | str
    fragment: str = ""


@dataclass(frozen=True, slots=True)
class Weighed:
    """The alignments of a claim that share a verdict and a reason."""

    reason: str
    criterion: CriterionView | None
    alignments: tuple[AlignmentView, ...]


def segments(certainty: ConceptView) -> int:
    """Return how many of the five segments of the bar are filled: one for rank 0, five for rank 4, none without rank.

    >>> segments(ConceptView("c:possible", "possible", "Possible", rank=1))
    2
    """
    return 0 if certainty.rank is None else max(0, min(SEGMENTS, certainty.rank + 1))


def edge(claim: ClaimView) -> str:
    """Return the edge of a claim's card: negated, hedged or asserted."""
    if claim.negated:
        return "negated hedged" if claim.hedged else "negated"
    return "hedged" if claim.hedged else "asserted"


def facets(claim: ClaimView) -> tuple[Facet, ...]:
    """Return what limits or colours a claim beyond its certainty, in a fixed order."""
    found = []
    if claim.modality.slug != "actual":
        found.append(Facet("Modality", claim.modality))
    if claim.polarity.slug not in {"affirmed", "negated"}:
        found.append(Facet("Polarity", claim.polarity))
    if claim.frequency:
        found.append(Facet("Frequency", claim.frequency))
    found += qualifiers(claim)
    if claim.compared_dimension:
        found.append(Facet("Compared", claim.compared_dimension))
    if claim.stated_evidence:
        found.append(Facet("Evidence, in the author’s word", claim.stated_evidence))
    if claim.presupposed:
        found.append(Facet("Presupposed", "not said outright"))
    if claim.implied:
        found.append(Facet("Implied", "not said outright"))
    return tuple(found)


def qualifiers(claim: ClaimView) -> list[Facet]:
    """Return the quantities and qualifiers of a claim, each with the fragment of its IRI."""
    found = []
    if claim.subject_quantity:
        found.append(Facet("Amount of the subject", claim.subject_quantity, "subject-quantity"))
    if claim.object_quantity:
        found.append(Facet("Amount of the object", claim.object_quantity, "object-quantity"))
    numbers: Counter[str] = Counter()
    for qualifier in claim.qualifiers:
        numbers[qualifier.type.slug] += 1
        fragment = f"{qualifier.type.slug}-{numbers[qualifier.type.slug]}"
        found.append(Facet(qualifier.type.label, qualifier.value, fragment))
    return found


def withheld(claim: ClaimView, restricting: Collection[str]) -> tuple[str, ...]:
    """Return why a claim licenses no plain triple; `restricting` are the qualifier types that narrow a claim."""
    reasons = []
    if claim.certainty.slug != "asserted":
        reasons.append(f"its certainty is “{claim.certainty.label}”, not “Asserted”")
    if claim.modality.slug != "actual":
        reasons.append(f"its modality is “{claim.modality.label}”")
    if claim.polarity.slug != "affirmed":
        reasons.append(f"its polarity is “{claim.polarity.label}”")
    if claim.frequency and claim.frequency.slug != "always":
        reasons.append(f"it holds with the frequency “{claim.frequency.label}”")
    if claim.presupposed or claim.implied:
        reasons.append("the article does not say it outright")
    if claim.kind not in PLAIN_KINDS:
        reasons.append(f"its kind is “{claim.kind}”")
    if claim.object.kind != "entity":
        reasons.append("its object is a claim")
    narrowed = sorted({item.type.label for item in claim.qualifiers if item.type.iri in restricting})
    if narrowed:
        reasons.append(f"it is limited by a qualifier ({', '.join(narrowed)})")
    return tuple(reasons)


def weighed(claim: ClaimView) -> list[tuple[ConceptView, list[Weighed]]]:
    """Return what datasets and studies say to a claim, by verdict and reason, in the order of its alignments."""
    verdicts: dict[str, ConceptView] = {}
    found: dict[str, dict[str, list[AlignmentView]]] = {}
    for alignment in claim.alignments:
        if alignment.statement is not None:
            verdicts[alignment.verdict.slug] = alignment.verdict
            found.setdefault(alignment.verdict.slug, {}).setdefault(alignment.reason, []).append(alignment)
    return [
        (verdicts[slug], [Weighed(reason, same[0].criterion, tuple(same)) for reason, same in reasons.items()])
        for slug, reasons in found.items()
    ]


def stands(claim: ClaimView) -> str:
    """Return in a few words how a claim stands to datasets and studies, or the empty string where none was asked."""
    counts = Counter(alignment.verdict.slug for alignment in claim.alignments if alignment.statement is not None)
    words = {"supports": ("supports", "support"), "disputes": ("disputes", "dispute"), "neutral": ("decides", "decide")}
    parts = []
    for slug, (one, many) in words.items():
        if count := counts[slug]:
            parts.append(f"{count} {one if count == 1 else many} {'nothing' if slug == 'neutral' else 'it'}")
    if parts:
        return f"Of the statements of datasets and studies, {', '.join(parts)}"
    return "Not covered by the datasets of this graph" if claim.alignments else ""


def covering(judgement: AlignmentSetView, claims: Iterable[ClaimView]) -> list[tuple[str, int]]:
    """Count the claims of a judged article by how datasets and studies stand to them."""
    counts: Counter[str] = Counter()
    for claim in claims:
        if claim.article.iri == judgement.article.iri:
            counts[outcome(claim)] += 1
    return [(words, counts[words]) for words in OUTCOMES if counts[words]]


def outcome(claim: ClaimView) -> str:
    """Return how datasets and studies stand to a claim, one of `OUTCOMES`."""
    verdicts = {alignment.verdict.slug for alignment in claim.alignments}
    if "supports" in verdicts:
        return "Supported and disputed" if "disputes" in verdicts else "Supported"
    if "disputes" in verdicts:
        return "Disputed"
    return "Left open" if "neutral" in verdicts else "Not covered"


def tally(claims: Iterable[ClaimView]) -> list[tuple[ConceptView, int]]:
    """Count claims by certainty, the surest first."""
    kinds = {}
    counts: Counter[str] = Counter()
    for claim in claims:
        kinds[claim.certainty.iri] = claim.certainty
        counts[claim.certainty.iri] += 1
    return sorted(((kinds[iri], n) for iri, n in counts.items()), key=lambda item: (-(item[0].rank or 0), item[0].iri))
