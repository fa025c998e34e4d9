"""Files as text: bytes in, characters and findings out. Every later place is measured in this text."""

from __future__ import annotations

import errno
import os
import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from kgbuild.diagnostics import Report, Span

_FORBIDDEN = re.compile(
    "[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ufeff\ud800-\udfff\ufdd0-\ufdef"
    + "".join(f"{chr(plane + 0xFFFE)}{chr(plane + 0xFFFF)}" for plane in range(0, 0x110000, 0x10000))
    + "]"
)
_MOST = 20
_REMOVE = "remove it; editors hide it, and it can change what a line seems to say"
_ENDINGS = frozenset({".yaml", ".tsv", ".ttl", ".rq"})


@dataclass(frozen=True, slots=True)
class Source:
    """One source file: its path relative to the project, with forward slashes, and its text."""

    path: str
    text: str


def read_source(root: Path, path: Path, report: Report) -> Source | None:
    """Read a file as UTF-8, or report why it cannot be read and return None."""
    name = relative(root, path)
    try:
        data = path.read_bytes()
    except OSError as error:
        if error.errno == errno.ELOOP:
            report.add("KG112", f"symbolic link loop at {name}", Span(name), hint="remove the link")
        else:
            report.add("KG101", f"cannot read {name}: {error.strerror or error}", Span(name))
        return None
    source = decode(name, data, report)
    return None if source is None else _without_forbidden(source, report)


def forbidden(text: str) -> str | None:
    """Return the first character no source may hold: a control, a line separator, a direction control, no character.

    >>> forbidden("magnesium\\n\\t"), forbidden("\\u202emuisengam")
    (None, '\\u202e')
    """
    found = _FORBIDDEN.search(text)
    return found[0] if found else None


def name_of(char: str) -> str:
    """Return how findings call a character.

    >>> name_of("\\u202e"), name_of("\\n")
    ('U+202E RIGHT-TO-LEFT OVERRIDE', 'line break')
    """
    short = {"\n": "line break", "\t": "tab", "\r": "carriage return"}
    return short.get(char) or f"U+{ord(char):04X} {unicodedata.name(char, 'control character')}"


def forbidden_in_line(path: str, number: int, line: str, report: Report) -> str:
    """Report a forbidden character of a line, and put U+FFFD in the place of all, so that places stay as they are."""
    found = _FORBIDDEN.search(line)
    if found is None:
        return line
    report.add("KG115", f"{name_of(found[0])} in the file", Span(path, number, found.start() + 1), hint=_REMOVE)
    return _FORBIDDEN.sub("\ufffd", line)


def _without_forbidden(source: Source, report: Report) -> Source:
    """Report forbidden characters, one a line, and put U+FFFD in their place, so that places stay as they are."""
    if forbidden(source.text) is None:
        return source
    lines = source.text.split("\n")
    faulty = [(number, found) for number, line in enumerate(lines, 1) if (found := _FORBIDDEN.search(line))]
    for number, found in faulty[:_MOST]:
        place = Span(source.path, number, found.start() + 1)
        report.add("KG115", f"{name_of(found[0])} in the file", place, hint=_REMOVE)
    if len(faulty) > _MOST:
        place = Span(source.path, faulty[_MOST][0])
        report.add("KG115", f"{len(faulty) - _MOST} further lines have such characters", place)
    return Source(source.path, _FORBIDDEN.sub("\ufffd", source.text))


def decode(name: str, data: bytes, report: Report) -> Source | None:
    """Decode bytes as UTF-8; report invalid bytes, a byte order mark, carriage returns and emptiness."""
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as error:
        before = data[: error.start]
        line = before.count(b"\n") + 1
        column = len(before[before.rfind(b"\n") + 1 :].decode("utf-8", "replace")) + 1
        report.add(
            "KG102",
            f"byte 0x{data[error.start]:02X} is not UTF-8",
            Span(name, line, column),
            hint="save the file as UTF-8",
        )
        return None
    if text.startswith("\ufeff"):
        report.add("KG111", "the file starts with a byte order mark", Span(name), hint="save it without one")
        text = text[1:]
    if "\r" in text:
        line = text[: text.index("\r")].count("\n") + 1
        report.add("KG111", "the file has carriage returns", Span(name, line), hint="save it with plain line ends")
        text = text.replace("\r\n", "\n").replace("\r", "\n")
    if not text.strip():
        report.add("KG108", "the file is empty", Span(name), hint="fill it or remove it")
        return None
    return Source(name, text)


def relative(root: Path, path: Path) -> str:
    """Return the path as findings show it: relative to the project, with forward slashes."""
    try:
        return path.relative_to(root).as_posix()
    except ValueError:
        return path.as_posix()


def walk(root: Path, folder: str, report: Report) -> Iterator[Path]:
    """List the files below a folder of the project in the order of their names.

    Hidden files and `README.md` are passed over; links that leave the project or run in a circle are reported.
    """
    top = root / folder
    if not top.exists():
        if top.is_symlink():
            report.add("KG112", f"the link {folder} leads nowhere", Span(folder), hint="remove the link")
        return
    inside = os.path.realpath(root)
    if os.path.commonpath([os.path.realpath(top), inside]) != inside:
        report.add("KG112", f"the link {folder} leaves the project", Span(folder), hint="move the folder here")
        return
    pending = [top]
    while pending:
        here = pending.pop()
        try:
            entries = sorted(here.iterdir())
        except OSError as error:
            name = relative(root, here)
            report.add("KG101", f"cannot list {name}: {error.strerror or error}", Span(name))
            continue
        folders = []
        for entry in entries:
            if entry.name.startswith(".") or entry.name == "README.md":
                continue
            if not _leads_to_file(root, entry, report):
                continue
            if entry.is_dir() and entry.suffix not in _ENDINGS:
                folders.append(entry)
            elif entry.is_file():
                yield entry
            else:
                name = relative(root, entry)
                what = "a folder" if entry.is_dir() else "no file"
                report.add("KG101", f"cannot read {name}: it is {what}", Span(name), hint="rename or remove it")
        pending.extend(reversed(folders))


def is_within(root: Path, path: Path, report: Report) -> bool:
    """Tell whether a file of a project is reached without leaving it, by the same rules for links as `walk` has."""
    steps = [root / step for step in (*reversed(path.relative_to(root).parents), path.relative_to(root))]
    return all(_leads_to_file(root, step, report) for step in steps[1:])


def _leads_to_file(root: Path, entry: Path, report: Report) -> bool:
    """Report a link that leads nowhere, to a folder or out of the project; all else may be looked at."""
    if not entry.is_symlink():
        return True
    name, inside = relative(root, entry), os.path.realpath(root)
    if not entry.exists():
        report.add("KG112", f"the link {name} leads nowhere or in a circle", Span(name), hint="remove it")
    elif os.path.commonpath([os.path.realpath(entry), inside]) != inside:
        report.add("KG112", f"the link {name} leaves the project", Span(name), hint="copy the file instead")
    elif entry.is_dir():
        report.add("KG112", f"the link {name} leads to a folder", Span(name), hint="move the folder here")
    else:
        return True
    return False
