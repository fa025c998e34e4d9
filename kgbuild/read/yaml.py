"""YAML as a tree of values that know their place.

Every scalar stays text: what `no` or `1.10` means is decided by the key it stands under, never by YAML.
Anchors, aliases and tags are refused: they hide places and can grow without bound.
"""

from __future__ import annotations

from dataclasses import dataclass

import yaml

from kgbuild.diagnostics import Related, Report, Span
from kgbuild.source import Source


@dataclass(frozen=True, slots=True)
class Scalar:
    """A text value."""

    text: str
    span: Span
    plain: bool = True


@dataclass(frozen=True, slots=True)
class Sequence:
    """A list of values."""

    items: tuple[Value, ...]
    span: Span


@dataclass(frozen=True, slots=True)
class Mapping:
    """Keys with their values; a key given twice was reported and its first value kept."""

    entries: dict[str, tuple[Span, Value]]
    span: Span


Value = Scalar | Sequence | Mapping


def parse(source: Source, report: Report) -> Value | None:
    """Parse one YAML document, or report where it breaks and return None."""
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    try:
        root = yaml.compose(source.text, Loader=loader)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        place = Span(source.path, mark.line + 1, mark.column + 1) if mark else Span(source.path)
        words = ", ".join(part for part in (error.problem, error.context) if part)
        report.add("KG103", f"broken YAML: {words}", place)
        return None
    except yaml.YAMLError as error:
        report.add("KG103", f"broken YAML: {error}".splitlines()[0], _reader_place(source, error))
        return None
    except RecursionError:
        report.add("KG103", "the YAML is nested too deeply", Span(source.path))
        return None
    if root is None:
        report.add("KG108", "the file has no content", Span(source.path))
        return None
    return _Builder(source, report).build(root)


def _reader_place(source: Source, error: yaml.YAMLError) -> Span:
    position = getattr(error, "position", None)
    if not isinstance(position, int):
        return Span(source.path)
    before = source.text[:position]
    return Span(source.path, before.count("\n") + 1, position - before.rfind("\n"))


class _Builder:
    """Turns composed nodes into values, once each."""

    def __init__(self, source: Source, report: Report) -> None:
        self.source = source
        self.report = report
        self.seen: set[int] = set()

    def build(self, node: yaml.Node) -> Value:
        span = self.span(node)
        if id(node) in self.seen:
            self.report.add("KG103", "YAML aliases are not used here", span, hint="write the value out")
            return Scalar("", span)
        self.seen.add(id(node))
        if node.tag and not node.tag.startswith("tag:yaml.org,2002:"):
            self.report.add("KG103", f"YAML tag {node.tag} is not used here", span, hint="remove the tag")
        if isinstance(node, yaml.MappingNode):
            return self.mapping(node, span)
        if isinstance(node, yaml.SequenceNode):
            return Sequence(tuple(self.build(item) for item in node.value), span)
        return Scalar(str(node.value), span, node.style is None)

    def mapping(self, node: yaml.MappingNode, span: Span) -> Mapping:
        entries: dict[str, tuple[Span, Value]] = {}
        for key, value in node.value:
            place = self.span(key)
            if not isinstance(key, yaml.ScalarNode):
                self.report.add("KG107", "a key must be text", place)
                continue
            built = self.build(value)
            if key.value in entries:
                first = Related(entries[key.value][0], "first given here")
                self.report.add("KG104", f"key '{key.value}' is given twice", place, related=[first])
                continue
            entries[key.value] = (place, built)
        return Mapping(entries, span)

    def span(self, node: yaml.Node) -> Span:
        start, end = node.start_mark, node.end_mark
        length = end.column - start.column if end.line == start.line else 1
        return Span(self.source.path, start.line + 1, start.column + 1, max(1, length))
