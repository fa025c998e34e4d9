"""YAML as a tree of values that know their place.

Every scalar stays text: what `no` or `1.10` means is decided by the key it stands under, never by YAML.
Anchors, aliases and tags are refused: they hide places and can grow without bound.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import yaml

from kgbuild.diagnostics import Related, Report, Span
from kgbuild.source import Source

DEEPEST = 40


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
        return _Builder(source, report, yaml.parse(source.text, Loader=loader)).document()
    except _TooDeepError as error:
        report.add("KG103", f"the YAML is nested more than {DEEPEST} levels deep", error.span)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        place = Span(source.path, mark.line + 1, mark.column + 1) if mark else Span(source.path)
        words = ", ".join(part for part in (error.problem, error.context) if part)
        report.add("KG103", f"broken YAML: {words}", place, hint=_hint(source, place))
    except (yaml.YAMLError, ValueError, OverflowError) as error:
        report.add("KG103", f"broken YAML: {error}".splitlines()[0], Span(source.path))
    return None


def _hint(source: Source, place: Span) -> str | None:
    """Explain the two breaks that a correct-looking line hides: a tab for indentation, a colon in plain text."""
    lines = source.text.split("\n")
    line = lines[place.line - 1] if place.line <= len(lines) else ""
    if "\t" in line[: len(line) - len(line.lstrip())]:
        return "indent with spaces; YAML does not take tabs"
    if line.count(": ") > 1 and '"' not in line:
        return "put a text that holds a colon in quotes"
    return None


class _TooDeepError(Exception):
    def __init__(self, span: Span) -> None:
        super().__init__(str(span))
        self.span = span


class _Builder:
    """Turns the events of the parser into values; nothing is ever built twice."""

    def __init__(self, source: Source, report: Report, events: Iterator[yaml.Event]) -> None:
        self.source = source
        self.report = report
        self.events = events

    def document(self) -> Value | None:
        root: Value | None = None
        first = True
        for event in self.events:
            if isinstance(event, yaml.DocumentStartEvent):
                if not first:
                    self.refuse("a file holds one YAML document", event, "put each document in a file of its own")
                    return root
                first = False
                root = self.value(next(self.events), 1)
        if root is None:
            self.report.add("KG108", "the file has no content", Span(self.source.path), hint="fill it or remove it")
        return root

    def value(self, event: yaml.Event, depth: int) -> Value:
        span = self.span(event)
        if depth > DEEPEST:
            raise _TooDeepError(span)
        if isinstance(event, yaml.AliasEvent):
            self.refuse("YAML aliases are not used here", event, "write the value out")
            return Scalar("alias", span)
        if isinstance(event, yaml.NodeEvent) and event.anchor is not None:
            self.refuse("YAML anchors are not used here", event, f"remove &{event.anchor}")
        if isinstance(event, yaml.ScalarEvent | yaml.CollectionStartEvent) and event.tag is not None:
            tag = event.tag.replace("tag:yaml.org,2002:", "!!")
            self.refuse(f"the YAML tag {tag} is not used here", event, "remove the tag")
        if isinstance(event, yaml.MappingStartEvent):
            return Mapping(self.entries(depth), span)
        if isinstance(event, yaml.SequenceStartEvent):
            return Sequence(tuple(self.items(depth)), span)
        assert isinstance(event, yaml.ScalarEvent)
        return Scalar(str(event.value), span, event.style is None)

    def items(self, depth: int) -> Iterator[Value]:
        for event in self.events:
            if isinstance(event, yaml.SequenceEndEvent):
                return
            yield self.value(event, depth + 1)

    def entries(self, depth: int) -> dict[str, tuple[Span, Value]]:
        entries: dict[str, tuple[Span, Value]] = {}
        for event in self.events:
            if isinstance(event, yaml.MappingEndEvent):
                break
            key = self.value(event, depth + 1)
            value = self.value(next(self.events), depth + 1)
            if not isinstance(key, Scalar):
                self.report.add("KG107", "a key must be text", key.span)
            elif key.text in entries:
                first = Related(entries[key.text][0], "first given here")
                self.report.add("KG104", f"key '{key.text}' is given twice", key.span, related=[first])
            else:
                entries[key.text] = (key.span, value)
        return entries

    def refuse(self, message: str, event: yaml.Event, hint: str) -> None:
        self.report.add("KG103", message, self.span(event), hint=hint)

    def span(self, event: yaml.Event) -> Span:
        start, end = event.start_mark, event.end_mark
        if start is None or end is None:
            return Span(self.source.path)
        assert start is not None
        assert end is not None
        length = end.column - start.column if end.line == start.line else 1
        return Span(self.source.path, start.line + 1, start.column + 1, max(1, length))
