"""Pictures drawn at build time as SVG with links and tooltips: what surrounds a thing, and the whole graph as a ring.

Pure: the same spokes and chords give the same bytes. A layout is arithmetic, so that hundreds of pictures cost little.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from markupsafe import Markup, escape

from kgbuild.site.render import plain

SPOKES = 12
"""Things drawn around a thing; the list of claims below the picture holds all of them."""

_COLUMN, _CENTRE, _PITCH, _GAP = 152, 100, 88, 32
_FEW = 3
_SLOT = 15.5


@dataclass(frozen=True, slots=True)
class Spoke:
    """A thing beside the one in the middle.

    `relation` and `said` are shown, `edge` is asserted, hedged or negated, `outgoing` tells which way the arrow points.
    """

    address: str
    label: str
    relation: str
    said: str
    edge: str
    outgoing: bool
    title: str


@dataclass(frozen=True, slots=True)
class Node:
    """A thing on the ring: key, label, address, how many claims name it, and the number of its group."""

    key: str
    label: str
    address: str
    weight: int
    group: int


@dataclass(frozen=True, slots=True)
class Chord:
    """What joins two things on the ring, by their keys."""

    start: str
    end: str
    address: str
    edge: str
    title: str
    weight: int = 1


def wrapped(text: str, width: int, lines: int) -> list[str]:
    """Break a text into a few short lines; what does not fit ends in an ellipsis.

    >>> wrapped("magnesium-dependent enzymes", 12, 2)
    ['magnesium-', 'dependent e…']
    >>> wrapped("iron", 12, 2)
    ['iron']
    """
    found = [""]
    for word in plain(text).replace("-", "- ").split():
        last = found[-1]
        joined = last + word if not last or last.endswith("-") else f"{last} {word}"
        if len(joined) <= width or not last:
            found[-1] = joined
        else:
            found.append(word)
    if len(found) > lines:
        rest = found[lines - 1] + ("" if found[lines - 1].endswith("-") else " ") + found[lines]
        found = [*found[: lines - 1], plain(rest + "…" * (len(rest) < width), width)]
    return [plain(line, width) for line in found]


def ego(name: str, spokes: Sequence[Spoke], label: str) -> Markup:
    """Draw a thing in the middle and up to `SPOKES` things in two columns beside it; `label` names the picture."""
    shown = spokes[:SPOKES]
    few = len(shown) <= _FEW
    half = len(shown) if few else (len(shown) + 1) // 2
    right, left = shown[:half], shown[half:]
    gap = 3 * _GAP if few else _GAP
    reach = _CENTRE / 2 + gap + _COLUMN
    edge = -_CENTRE / 2 if few else -reach
    height = max(len(right) * _PITCH, 96) + 8
    middle = height / 2
    words = wrapped(name, 10, 4)
    room = 10 * len(words) + 4
    lines, boxes = [], []
    for column, side in ((right, 1), (left, -1)):
        top = middle - len(column) * _PITCH / 2
        for number, spoke in enumerate(column):
            y = top + (number + 0.5) * _PITCH
            shift = room * (2 * number + 1 - len(column)) / len(column)
            lines.append(_spoke(spoke, side, (middle + shift, y), gap))
            boxes.append(_box(spoke, -reach if side < 0 else reach - _COLUMN, y))
    return Markup(  # noqa: S704  # every text in it is escaped by the functions that spell it
        f'<svg class="net ego{" few" if few else ""}" role="group" aria-label="{escape(plain(label))}" '
        f'viewBox="{edge:g} 0 {reach - edge:g} {height:g}">'
        f"{''.join(lines)}{_middle(words, middle)}{''.join(boxes)}</svg>"
    )


def _middle(words: Sequence[str], y: float) -> str:
    height = 20 * len(words) + 20
    return (
        f'<rect class="middle" x="{-_CENTRE / 2:g}" y="{y - height / 2:g}" width="{_CENTRE}" height="{height}" rx="8"/>'
        + _text(words, 0, y, 20, "name")
    )


def _text(lines: Sequence[str], x: float, y: float, pitch: float, kind: str) -> str:
    first = y - (len(lines) - 1) * pitch / 2
    return "".join(
        f'<text class="{kind}" x="{x:g}" y="{first + number * pitch:g}">{escape(line)}</text>'
        for number, line in enumerate(lines)
    )


def _box(spoke: Spoke, x: float, y: float) -> str:
    middle = x + _COLUMN / 2
    lines = wrapped(spoke.label, 18, 2)
    height = 30 if len(lines) == 1 else 44
    return (
        f'<a href="{escape(spoke.address)}"><title>{escape(spoke.title)}</title>'
        f'<text class="relation" x="{middle:g}" y="{y - height / 2 - 9:g}">{escape(plain(spoke.relation, 26))}</text>'
        f'<rect x="{x + 1:g}" y="{y - height / 2:g}" width="{_COLUMN - 2}" height="{height}" rx="6"/>'
        f"{_text(lines, middle, y, 17, 'thing')}"
        f'<text class="said" x="{middle:g}" y="{y + height / 2 + 10:g}">{escape(plain(spoke.said, 28))}</text></a>'
    )


def _spoke(spoke: Spoke, side: int, heights: tuple[float, float], gap: float) -> str:
    """Draw the line from the middle to the inner edge of a box, with its arrow where the claim points."""
    start = (side * _CENTRE / 2, heights[0])
    end = (side * (_CENTRE / 2 + gap), heights[1])
    turn = (start[0] + end[0]) / 2
    tip, base = (end, start) if spoke.outgoing else (start, end)
    way = 1 if tip[0] > base[0] else -1
    path = f"M{_at(start)}C{turn + side * 8:g} {start[1]:.1f} {turn - side * 6:g} {end[1]:.1f} {_at(end)}"
    arrow = f"M{_at(tip)}l{-7 * way} -4.5v9z"
    inner = f'<path class="gap" d="{path}"/>' if "negated" in spoke.edge else ""
    return f'<g class="{spoke.edge}"><path class="line" d="{path}"/>{inner}<path class="tip" d="{arrow}"/></g>'


def _at(point: tuple[float, float]) -> str:
    return f"{point[0]:.1f} {point[1]:.1f}"


def ring(groups: Sequence[str], nodes: Sequence[Node], chords: Iterable[Chord], label: str) -> Markup:
    """Draw things on a ring, group beside group, and what joins them as chords; a group without a name has no heading.

    A thing under the pointer or the focus lights its chords, for which they stand in its group a second time.
    """
    slots = _slots(groups, nodes)
    count = max(len(slots), 12)
    radius = max(150.0, count * _SLOT / math.tau)
    angles = {key: 360 * (place + 0.5) / count - 90 for place, key in enumerate(slots) if key}
    points = {key: _polar(radius, angle) for key, angle in angles.items()}
    number_of = {node.key: node.group for node in nodes}
    drawn: list[str] = []
    touching: Mapping[str, list[str]] = defaultdict(list)
    for chord in chords:
        path = _chord(points[chord.start], points[chord.end])
        kinds = f"k{number_of[chord.start]} k{number_of[chord.end]}"
        width = f' stroke-width="{1 + math.log2(chord.weight):.1f}"' if chord.weight > 1 else ""
        drawn.append(
            f'<a class="edge {chord.edge} {kinds}" href="{escape(chord.address)}" tabindex="-1">'
            f'<path d="{path}"{width}/><title>{escape(chord.title)}</title></a>'
        )
        for key in {chord.start, chord.end}:
            touching[key].append(f'<path class="lit {chord.edge}" d="{path}"/>')
    heads = "".join(_head(name, angles[f"\0{number}"], radius) for number, name in enumerate(groups) if name)
    things = "".join(_thing(node, angles[node.key], radius, touching[node.key]) for node in nodes)
    half = radius + (225 if any(groups) else 118)
    return Markup(  # noqa: S704  # every text in it is escaped by the functions that spell it
        f'<svg class="net ring" role="group" aria-label="{escape(plain(label))}" '
        f'viewBox="{-half:.0f} {-half:.0f} {2 * half:.0f} {2 * half:.0f}">{"".join(drawn)}{heads}{things}</svg>'
    )


def _slots(groups: Sequence[str], nodes: Sequence[Node]) -> list[str]:
    """Return what stands in each slot of the ring: the head of a group, its nodes, an empty slot."""
    slots = []
    for number, name in enumerate(groups):
        slots += [f"\0{number}"] if name else []
        slots += [node.key for node in nodes if node.group == number]
        slots += [""] if name else []
    return slots


def _polar(radius: float, angle: float) -> tuple[float, float]:
    return radius * math.cos(math.radians(angle)), radius * math.sin(math.radians(angle))


def _chord(start: tuple[float, float], end: tuple[float, float]) -> str:
    """Bend a chord towards the middle of the ring."""
    middle = ((start[0] + end[0]) * 0.12, (start[1] + end[1]) * 0.12)
    return f"M{start[0]:.0f} {start[1]:.0f}Q{middle[0]:.0f} {middle[1]:.0f} {end[0]:.0f} {end[1]:.0f}"


def _along(angle: float, distance: float) -> str:
    """Spell where a text stands at some distance from the middle, so that it is never upside down."""
    if -90 <= angle <= 90:
        return f'transform="rotate({angle:.1f})" x="{distance:.0f}"'
    return f'transform="rotate({angle + 180:.1f})" x="{-distance:.0f}" text-anchor="end"'


def _head(name: str, angle: float, radius: float) -> str:
    return f'<text class="head" {_along(angle, radius + 2)}>{escape(plain(name, 20))}</text>'


def _thing(node: Node, angle: float, radius: float, lit: Sequence[str]) -> str:
    x, y = _polar(radius, angle)
    size = 2.5 + 1.6 * math.sqrt(node.weight)
    title = f"{plain(node.label)}: {node.weight} {'claim' if node.weight == 1 else 'claims'}"
    return (
        f'<g class="node k{node.group}">{"".join(lit)}<a href="{escape(node.address)}"><title>{escape(title)}</title>'
        f'<circle cx="{x:.1f}" cy="{y:.1f}" r="{min(size, 11):.1f}"/>'
        f"<text {_along(angle, radius + min(size, 11) + 4)}>{escape(plain(node.label, 34))}</text></a></g>"
    )
