"""What charts show: claims counted two ways, and measured values beside each other.

Pure: values in, values out; no HTML. A chart is a table with bars in it, so that it is its own text.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass

from kgbuild.evidence import StatementView
from kgbuild.nodes import Link
from kgbuild.site.facts import OUTCOMES, outcome
from kgbuild.views import ClaimView

NEAR = ("", "exact", "close")
"""How the subject of a statement may fit a thing to stand for it, the best first; others are varieties."""
MEASURED = 3
"""Fewest things with a value of one kind that make a chart."""


@dataclass(frozen=True, slots=True)
class Row:
    """A row of counts: what is counted, the count in each column, and their sum."""

    head: Link
    counts: tuple[int, ...]

    @property
    def total(self) -> int:
        """Return the sum of the counts."""
        return sum(self.counts)


@dataclass(frozen=True, slots=True)
class Profile:
    """Counts in rows and columns; a column is a name with the level of its shade, 0 to 4."""

    columns: tuple[tuple[str, int], ...]
    rows: tuple[Row, ...]

    @property
    def largest(self) -> int:
        """Return the largest sum of a row."""
        return max((row.total for row in self.rows), default=0)


@dataclass(frozen=True, slots=True)
class Measured:
    """A thing with its value, the range of its varieties, and the claims that the value was laid beside."""

    thing: Link
    statement: StatementView
    value: float
    low: float
    high: float
    judged: tuple[tuple[ClaimView, str], ...]


@dataclass(frozen=True, slots=True)
class Measures:
    """Values of one measure in one unit, the largest first; `least` is where a criterion draws a line."""

    measure: str
    unit: str
    rows: tuple[Measured, ...]
    least: float | None
    criterion: Link | None

    @property
    def largest(self) -> float:
        """Return the largest value, that of varieties included."""
        return max(row.high for row in self.rows)


def by_certainty(claims: Iterable[tuple[Link, ClaimView]]) -> Profile:
    """Count claims by what they are paired with, in the order of first use, and by certainty, the surest first."""
    pairs = list(claims)
    concepts = {claim.certainty.slug: claim.certainty for _, claim in pairs}
    order = sorted(concepts.values(), key=lambda item: (-(item.rank or 0), item.slug))
    columns = tuple((item.label or "not recorded", item.rank or 0) for item in order)
    return Profile(columns, _rows(((head, claim.certainty.slug) for head, claim in pairs), [c.slug for c in order]))


def by_outcome(claims: Iterable[ClaimView]) -> Profile:
    """Count claims by certainty, the surest first, and by how datasets and studies stand to them."""
    ranked = sorted(claims, key=lambda claim: (-(claim.certainty.rank or 0), claim.certainty.slug))
    pairs = [
        (Link(claim.certainty.iri, claim.certainty.label or "not recorded"), outcome(claim))
        for claim in ranked
        if claim.alignments
    ]
    found = {words for _, words in pairs}
    kept = [(words, level) for words, level in zip(OUTCOMES, (4, 3, 2, 1, 0), strict=True) if words in found]
    return Profile(tuple(kept), _rows(pairs, [words for words, _ in kept]))


def _rows(pairs: Iterable[tuple[Link, Hashable]], keys: Sequence[Hashable]) -> tuple[Row, ...]:
    counts: dict[Link, Counter[Hashable]] = defaultdict(Counter)
    for head, key in pairs:
        counts[head][key] += 1
    return tuple(Row(head, tuple(found[key] for key in keys)) for head, found in counts.items())


def measures(statements: Iterable[StatementView], claims: Iterable[ClaimView]) -> tuple[Measures, ...]:
    """Return the measured values that are worth a chart, by measure and unit.

    A thing is shown with the value of the statement that fits it best; those of its varieties make the range.
    """
    judged = defaultdict(list)
    for claim in claims:
        for alignment in claim.alignments:
            if alignment.statement is not None:
                judged[alignment.statement.iri].append((claim, alignment))
    kinds = defaultdict(list)
    for statement in statements:
        if statement.measure and statement.unit and _number(statement.value) is not None:
            kinds[statement.measure, statement.unit].append(statement)
    found = []
    for (measure, unit), group in sorted(kinds.items()):
        rows = _measured(
            group, {iri: [(claim, item.verdict.slug) for claim, item in pairs] for iri, pairs in judged.items()}
        )
        rules = [item.criterion for one in group for _, item in judged.get(one.iri, ()) if item.criterion]
        line = next((rule for rule in rules if _number(rule.least) is not None), None)
        if len(rows) >= MEASURED:
            least = _number(line.least) if line else None
            found.append(Measures(measure, unit, rows, least, Link(line.iri, line.label) if line else None))
    return tuple(found)


def _measured(
    statements: Iterable[StatementView], judged: dict[str, list[tuple[ClaimView, str]]]
) -> tuple[Measured, ...]:
    by_thing = defaultdict(list)
    for statement in statements:
        by_thing[statement.subject.iri].append(statement)
    rows = []
    for group in by_thing.values():
        near = [item for item in group if item.match in NEAR]
        if near:
            values = [float(item.value) for item in group]
            first = min(near, key=lambda item: NEAR.index(item.match))
            pairs = tuple(judged.get(first.iri, ()))
            rows.append(Measured(first.subject, first, float(first.value), min(values), max(values), pairs))
    return tuple(sorted(rows, key=lambda row: (-row.value, row.thing.label)))


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None
