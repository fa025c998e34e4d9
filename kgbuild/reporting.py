"""Findings as people and machines read them: text with the source line, JSON, GitHub annotations, SARIF 2.1.0.

Knows how findings are shown, not what they mean. Nothing from a source file can steer the terminal: control
characters and direction controls are shown as escapes.
"""

from __future__ import annotations

import json
import unicodedata
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from importlib.resources import files
from pathlib import Path
from typing import Any
from urllib.parse import quote

from kgbuild.codes import page_of, title_of
from kgbuild.diagnostics import Diagnostic, Related, Severity, Span, UsageError, did_you_mean

Json = dict[str, Any]
LineOf = Callable[[str, int], str | None]

_PACKED = (".gz", ".zst", ".parquet")  # files that have no lines to show
_WIDEST = 120
_BEFORE = 40
_TAB = 4
_GUTTER = 5
_COLORS = {Severity.ERROR: "31", Severity.WARNING: "33", Severity.NOTE: "36"}


class Lines:
    """The lines of source files, read once each; files of the tool's own vocabulary are found in the package."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self._files: dict[str, list[str]] = {}

    def line_of(self, path: str, number: int) -> str | None:
        """Return a line of a file as readers count them, or None where it cannot be had."""
        if path not in self._files:
            self._files[path] = self._read(path)
        lines = self._files[path]
        return lines[number - 1] if 1 <= number <= len(lines) else None

    def _read(self, path: str) -> list[str]:
        if path.endswith(_PACKED):
            return []
        here = self.root / path
        try:
            if here.is_file():
                data = here.read_bytes()
            elif path.startswith("kgbuild/"):
                data = files("kgbuild").joinpath(*path.split("/")[1:]).read_bytes()
            else:
                return []
        except (OSError, ValueError):
            return []
        text = data.decode("utf-8", "replace").removeprefix("\ufeff")
        return text.replace("\r\n", "\n").replace("\r", "\n").split("\n")


def render(findings: Sequence[Diagnostic], format: str, lines: Lines, *, color: bool = False) -> str:  # noqa: A002
    """Render findings in one of `FORMATS`, in the order given; raise `UsageError` for another format."""
    if format not in FORMATS:
        hint = did_you_mean(format, FORMATS) or f"one of: {', '.join(FORMATS)}"
        raise UsageError(f"unknown format '{format}'; {hint}")
    return FORMATS[format](findings, lines, color)


def visible(text: str) -> str:
    r"""Show as escapes what a terminal would obey or hide: control characters, direction controls, odd spaces.

    >>> visible("a\x1b[31m\tb\u202e")
    'a\\x1b[31m\\tb\\u202e'
    """
    return "".join([char if char.isprintable() else ascii(char)[1:-1] for char in text])


# ---------------------------------------------------------------- text


def as_text(findings: Sequence[Diagnostic], line_of: LineOf, *, color: bool = False) -> str:
    """Render findings for people, each with its source line, and a count by code at the end."""
    paint = _paint if color else _plain
    parts = [_finding(finding, line_of, paint) for finding in findings]
    if parts:
        parts.append(f"{summary(findings)}\n")
    return "".join(parts)


Painter = Callable[[str, str], str]


def _plain(text: str, style: str) -> str:
    return text


def _paint(text: str, style: str) -> str:
    return f"\x1b[{style}m{text}\x1b[0m"


def _finding(finding: Diagnostic, line_of: LineOf, paint: Painter) -> str:
    hue = _COLORS[finding.severity]
    head = paint(f"{finding.severity.word}[{finding.code}]", f"1;{hue}") + f": {visible(finding.message)}"
    rows = []
    if finding.span is None:
        rows.append(head)
    else:
        rows.append(f"{paint(visible(str(finding.span)), '1')}: {head}")
        line = line_of(finding.span.path, finding.span.line)
        if line is not None and line.strip():
            rows += excerpt(line, finding.span, paint, hue)
    if finding.hint:
        rows.append(f"  {paint('help:', '1;32')} {visible(finding.hint)}")
    rows += [f"  {paint('note:', '1;36')} {visible(f'{other.span}: {other.message}')}" for other in finding.related]
    return "\n".join(rows) + "\n"


def excerpt(line: str, span: Span, paint: Painter = _plain, hue: str = "31") -> list[str]:
    """Show a source line with carets under a span; a long line is cut around it.

    >>> print("\\n".join(excerpt("  subject: magnesum", Span("a.yaml", 41, 12, 8))))
       41 |   subject: magnesum
          |            ^^^^^^^^
    """
    cells = _cells(line)
    start = min(max(span.column - 1, 0), len(cells))
    end = min(max(start + span.length, start + 1), max(len(cells), start + 1))
    first, last = _window(cells, start, end)
    head = "…" if first else ""
    tail = "…" if last < len(cells) else ""
    shown = head + "".join(text for text, _ in cells[first:last]) + tail
    indent = len(head) + sum(width for _, width in cells[first:start])
    carets = max(1, sum(width for _, width in cells[start : min(end, last)]))
    number = f"{span.line:>{_GUTTER}}"
    return [
        f"{paint(f'{number} |', '34')} {shown}".rstrip(),
        f"{paint(' ' * len(number) + ' |', '34')} {' ' * indent}{paint('^' * carets, f'1;{hue}')}",
    ]


def _cells(line: str) -> list[tuple[str, int]]:
    """Return what each character of a line shows and how many columns of a terminal it takes."""
    cells = []
    at = 0
    for char in line:
        if char == "\t":
            cell = (" " * (_TAB - at % _TAB), _TAB - at % _TAB)
        elif not char.isprintable():
            cell = (visible(char), len(visible(char)))
        else:
            cell = (char, _width(char))
        cells.append(cell)
        at += cell[1]
    return cells


def _width(char: str) -> int:
    if unicodedata.category(char) in {"Mn", "Me"}:
        return 0
    return 2 if unicodedata.east_asian_width(char) in {"W", "F"} else 1


def _window(cells: list[tuple[str, int]], start: int, end: int) -> tuple[int, int]:
    """Return the stretch of a line to show: all of it, or a window that starts a little before the span."""
    if sum(width for _, width in cells) <= _WIDEST:
        return 0, len(cells)
    first = start
    before = _BEFORE if sum(width for _, width in cells[:end]) > _WIDEST else _WIDEST
    while first and before >= cells[first - 1][1]:
        first -= 1
        before -= cells[first][1]
    last = first
    room = _WIDEST
    while last < len(cells) and room >= cells[last][1]:
        room -= cells[last][1]
        last += 1
    return first, last


def summary(findings: Iterable[Diagnostic]) -> str:
    """Count findings by severity and code.

    >>> summary([Diagnostic("KG204", "unknown entity 'x'"), Diagnostic("KG204", "unknown entity 'y'")])
    '2 errors: KG204 × 2'
    """
    findings = list(findings)
    levels = Counter(finding.severity for finding in findings)
    codes = Counter(finding.code for finding in findings)
    counted = [
        f"{levels[level]} {level.word}{'s' if levels[level] != 1 else ''}"
        for level in sorted(Severity, reverse=True)
        if levels[level]
    ]
    by_code = [f"{code} × {count}" for code, count in sorted(codes.items(), key=lambda item: (-item[1], item[0]))]
    return f"{', '.join(counted) or 'no findings'}{': ' if by_code else ''}{', '.join(by_code)}"


# ---------------------------------------------------------------- json


def as_json(findings: Sequence[Diagnostic]) -> Json:
    """Return findings and their counts as a JSON object."""
    levels = Counter(finding.severity for finding in findings)
    return {
        "findings": [
            {
                "code": finding.code,
                "severity": finding.severity.word,
                "message": _clean(finding.message),
                **_json_place(finding.span),
                "hint": None if finding.hint is None else _clean(finding.hint),
                "related": [{"message": _clean(other.message), **_json_place(other.span)} for other in finding.related],
            }
            for finding in findings
        ],
        "counts": {
            **{level.word: levels[level] for level in sorted(Severity, reverse=True)},
            "codes": dict(sorted(Counter(finding.code for finding in findings).items())),
        },
    }


def from_json(document: Mapping[str, Any]) -> list[Diagnostic]:
    """Return the findings of a JSON object that `as_json` made.

    >>> finding = Diagnostic("KG204", "unknown entity 'x'", Span("a.yaml", 3, 5, 2))
    >>> from_json(as_json([finding])) == [finding]
    True
    """
    return [
        Diagnostic(
            code=item["code"],
            message=item["message"],
            span=_span(item),
            severity=Severity[item["severity"].upper()],
            hint=item["hint"],
            related=tuple(
                Related(span, other["message"]) for other in item["related"] if (span := _span(other)) is not None
            ),
        )
        for item in document["findings"]
    ]


def _json_place(span: Span | None) -> Json:
    if span is None:
        return {"path": None, "line": None, "column": None, "endColumn": None}
    end = span.column + span.length
    return {"path": _clean(span.path), "line": span.line, "column": span.column, "endColumn": end}


def _span(item: Mapping[str, Any]) -> Span | None:
    if item["path"] is None:
        return None
    return Span(item["path"], item["line"], item["column"], item["endColumn"] - item["column"])


def _clean(text: str) -> str:
    """Replace lone surrogates, which no UTF-8 output can carry."""
    return text.encode("utf-8", "replace").decode("utf-8")


def _dumped(document: Json) -> str:
    return json.dumps(document, ensure_ascii=False, indent=2) + "\n"


# ---------------------------------------------------------------- github


def as_github(findings: Sequence[Diagnostic]) -> str:
    """Render findings as workflow commands, which GitHub shows at the lines of a pull request."""
    return "".join([_command(finding) for finding in findings])


def _command(finding: Diagnostic) -> str:
    name = "notice" if finding.severity is Severity.NOTE else finding.severity.word
    properties: dict[str, str | int] = {}
    if finding.span is not None:
        place = finding.span
        properties = {"file": place.path, "line": place.line, "col": place.column}
        properties |= {"endColumn": place.column + place.length}
    properties["title"] = " ".join(filter(None, (finding.code, title_of(finding.code))))
    lines = [visible(finding.message)]
    lines += [f"help: {visible(finding.hint)}"] if finding.hint else []
    lines += [f"note: {visible(f'{other.span}: {other.message}')}" for other in finding.related]
    spelt = ",".join(f"{key}={_property(str(value))}" for key, value in properties.items())
    data = _data("\n".join(lines))
    return f"::{name} {spelt}::{data}\n"


def _data(text: str) -> str:
    """Escape the data of a workflow command (actions/toolkit, command.ts)."""
    return _clean(text).replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    """Escape a property of a workflow command (actions/toolkit, command.ts)."""
    return _data(text).replace(":", "%3A").replace(",", "%2C")


# ---------------------------------------------------------------- sarif


def as_sarif(findings: Sequence[Diagnostic]) -> Json:
    """Return findings as a SARIF 2.1.0 log (OASIS); columns count Unicode code points."""
    codes = sorted({finding.code for finding in findings})
    driver = {
        "name": "kgbuild",
        "informationUri": "https://w3id.org/kgbuild",
        "rules": [_rule(code, findings) for code in codes],
    }
    run = {
        "tool": {"driver": driver},
        "columnKind": "unicodeCodePoints",
        "results": [_result(finding, codes.index(finding.code)) for finding in findings],
    }
    return {"$schema": "https://json.schemastore.org/sarif-2.1.0.json", "version": "2.1.0", "runs": [run]}


def _rule(code: str, findings: Sequence[Diagnostic]) -> Json:
    page = page_of(code)
    first = next(finding for finding in findings if finding.code == code)
    rule: Json = {
        "id": code,
        "shortDescription": {"text": title_of(code) or f"SHACL shape {code}"},
        "help": {"text": page or f"Run `kgbuild explain {code}`."},
        "defaultConfiguration": {"level": first.severity.word},
    }
    if page:
        rule["help"]["markdown"] = page
    return rule


def _result(finding: Diagnostic, rule: int) -> Json:
    message = _clean(finding.message if finding.hint is None else f"{finding.message}\n{finding.hint}")
    result: Json = {
        "ruleId": finding.code,
        "ruleIndex": rule,
        "level": finding.severity.word,
        "message": {"text": message},
        "locations": [] if finding.span is None else [_location(finding.span)],
    }
    if finding.related:
        result["relatedLocations"] = [
            {"id": number, **_location(other.span), "message": {"text": _clean(other.message)}}
            for number, other in enumerate(finding.related)
        ]
    return result


def _location(span: Span) -> Json:
    region = {"startLine": span.line, "startColumn": span.column, "endColumn": span.column + span.length}
    address = quote(span.path.encode("utf-8", "surrogateescape"), safe="/")
    return {"physicalLocation": {"artifactLocation": {"uri": address}, "region": region}}


FORMATS: dict[str, Callable[[Sequence[Diagnostic], Lines, bool], str]] = {
    "text": lambda findings, lines, color: as_text(findings, lines.line_of, color=color),
    "json": lambda findings, lines, color: _dumped(as_json(findings)),
    "github": lambda findings, lines, color: as_github(findings),
    "sarif": lambda findings, lines, color: _dumped(as_sarif(findings)),
}
