"""Bars in the cells of tables, as SVG that stretches with its column. The table says the same in numbers."""

from __future__ import annotations

from collections.abc import Sequence

from markupsafe import Markup

from kgbuild.site.profiles import Measured, Measures, Row


def stacked(row: Row, columns: Sequence[tuple[str, int]], largest: int) -> Markup:
    """Draw the counts of a row end to end; the shade of a part is that of its column."""
    start, parts = 0.0, []
    for count, (_, level) in zip(row.counts, columns, strict=True):
        width = 100 * count / largest
        if count:
            parts.append(f'<rect class="lv{level}" x="{start:.2f}" y="0" width="{width:.2f}" height="10"/>')
        start += width
    return _cell("".join(parts))


def horizontal(row: Measured, measures: Measures) -> Markup:
    """Draw a value as a bar, the range of its varieties as a line, and the line that a criterion draws."""
    scale = 100 / measures.largest if measures.largest > 0 else 0
    kind = "over" if measures.least is None or row.value >= measures.least else "under"
    drawn = f'<rect class="{kind}" y="0.5" width="{row.value * scale:.2f}" height="5.5"/>'
    if row.high > row.low:
        low, high = row.low * scale, row.high * scale
        drawn += f'<path class="range" d="M{low:.2f} 8.5H{high:.2f}M{low:.2f} 7v3M{high:.2f} 7v3"/>'
    if measures.least is not None:
        drawn += f'<path class="least" d="M{measures.least * scale:.2f} 0V10"/>'
    return _cell(drawn)


def _cell(drawn: str) -> Markup:
    return Markup(  # noqa: S704  # numbers only
        '<svg class="meter" aria-hidden="true" viewBox="0 0 100 10" preserveAspectRatio="none" '
        f'width="100%" height="16">{drawn}</svg>'
    )
