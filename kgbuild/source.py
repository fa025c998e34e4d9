"""Files as text: bytes in, characters and findings out. Every later place is measured in this text."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from kgbuild.diagnostics import Report, Span


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
    return decode(name, data, report)


def decode(name: str, data: bytes, report: Report) -> Source | None:
    """Decode bytes as UTF-8; report invalid bytes, NUL characters, a byte order mark, carriage returns and emptiness."""
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
            if entry.is_symlink():
                real = os.path.realpath(entry)
                name = relative(root, entry)
                if not os.path.exists(real):
                    report.add("KG112", f"the link {name} leads nowhere or in a circle", Span(name), hint="remove it")
                    continue
                if os.path.commonpath([real, inside]) != inside:
                    report.add("KG112", f"the link {name} leaves the project", Span(name), hint="copy the file instead")
                    continue
                if os.path.isdir(real):
                    report.add("KG112", f"the link {name} leads to a folder", Span(name), hint="move the folder here")
                    continue
            if entry.is_dir():
                folders.append(entry)
            else:
                yield entry
        pending.extend(reversed(folders))
