"""Tables of any size: CSV, TSV, JSON Lines and Parquet, also as .gz and .zst, read row by row.

A table is cut into batches; a batch knows its rows as they were written and turns them into the same mappings that
YAML gives, so that one set of checks serves all. Columns are the keys; `a.b` is the key `b` of the record under `a`;
the parts of a list stand in one cell, joined by `|`.
"""

from __future__ import annotations

import gzip
import io
import itertools
import json
import re
import zlib
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from decimal import Decimal
from pathlib import Path
from typing import IO, Any

from kgbuild.claims import Field, Kind
from kgbuild.diagnostics import AbsentError, Report, Span
from kgbuild.read.tables import heading_fits
from kgbuild.read.yaml import DEEPEST, Mapping, Scalar, Sequence, Value
from kgbuild.source import forbidden_in_line, relative

FORMS = ("csv", "tsv", "jsonl", "parquet")
ENDINGS = (*(f".{form}{packed}" for form in FORMS[:3] for packed in ("", ".gz", ".zst")), ".parquet")
"""How the names of tables end."""
_LISTS = frozenset({Kind.REFERENCES, Kind.TEXTS, Kind.INTEGERS, Kind.ADDRESSES, Kind.LOCALIZED_LIST})
_NESTED = frozenset({Kind.RECORD, Kind.OBJECT, Kind.QUANTITY, Kind.QUALIFIERS, Kind.LOCALIZED, Kind.LOCALIZED_LIST})
LONGEST = 1 << 25
"""Bytes of the longest row."""
_TOO_LONG = "end each row with a line break, and each quoted cell with a quote"
_CELL = re.compile(r'"((?:[^"]|"")*)"(?=,|$)|([^,"]*)(?=,|$)')


class _BrokenRowError(Exception):
    def __init__(self, message: str, column: int, hint: str | None = None) -> None:
        super().__init__(message)
        self.message, self.column, self.hint = message, column, hint


@dataclass(frozen=True, slots=True)
class Batch:
    """Some rows of a table as they are written: picklable, and turned into mappings where they are needed."""

    path: str
    form: str
    heading: tuple[str, ...]
    rows: tuple[tuple[int, Any], ...]

    def mappings(self, fields: tuple[Field, ...], report: Report) -> Iterator[Mapping]:
        """Return each row as a mapping of keys to values that know their place; report rows that are broken."""
        kinds = {field.key: field.kind for field in fields}
        for number, row in self.rows:
            try:
                match self.form:
                    case "jsonl":
                        node = _json_row(self.path, number, forbidden_in_line(self.path, number, row, report))
                    case "parquet":
                        node = _values(self.path, number, self.heading, row, kinds, report)
                    case _:
                        text = forbidden_in_line(self.path, number, row, report)
                        cells = _tsv(text) if self.form == "tsv" else _csv(text)
                        node = _cells(self.path, number, self.heading, cells, kinds, report)
            except _BrokenRowError as error:
                span = Span(self.path, number, error.column)
                report.add("KG114", error.message, span, hint=error.hint)
                continue
            yield node


@dataclass(slots=True)
class Cursor:
    """How far a table of text was read: its lines so far, and the bytes that these take when unpacked."""

    line: int = 0
    end: int = 0


@dataclass(frozen=True, slots=True)
class Table:
    """A file of rows."""

    path: str
    file: Path
    form: str
    packed: str

    @classmethod
    def of(cls, root: Path, file: Path) -> Table:
        """Tell from a file's name what it holds."""
        name = file.name
        packed = next((ending for ending in ("gz", "zst") if name.endswith(f".{ending}")), "")
        form = name.removesuffix(f".{packed}").rsplit(".", 1)[-1]
        return cls(relative(root, file), file, form, packed)

    def batches(
        self, fields: tuple[Field, ...], size: int, report: Report, cursor: Cursor | None = None
    ) -> Iterator[Batch]:
        """Read the table in batches of `size` rows; report what makes it unreadable, and stop there.

        A `cursor` always stands behind the last row of the batch.
        """
        heading: tuple[str, ...] = ()
        rows: list[tuple[int, Any]] = []
        seen = False
        for number, row in self._rows(report, cursor or Cursor()):
            seen = True
            if number == 0 or (not heading and self.form in {"csv", "tsv"}):
                heading = row if number == 0 else tuple(cell.strip() for _, cell in _split(self.form, row))
                if not _fits(self.path, max(1, number), heading, fields, report):
                    return
                continue
            rows.append((number, row))
            if len(rows) == size:
                yield Batch(self.path, self.form, heading, tuple(rows))
                rows = []
        if rows:
            yield Batch(self.path, self.form, heading, tuple(rows))
        if not seen and not report.has_errors:
            report.add("KG108", "the table has no heading", Span(self.path))

    def splits(self, fields: tuple[Field, ...], size: int, most: int, report: Report) -> Iterator[Split]:
        """Cut the table into splits of up to `most` batches of `size` rows each, which can be read apart.

        Text is read to find where its rows end; of Parquet only the footer, and a split is no smaller than its largest
        row group, which can only be read from its start.
        """
        if self.form == "parquet":
            yield from self._parquet_splits(fields, size, most, report)
            return
        cursor, begin = Cursor(), Cursor()
        batches = self.batches(fields, size, report, cursor)
        while held := list(itertools.islice(batches, most)):
            yield Split(self, held[0].heading, size, begin.line, begin.end, cursor.end - begin.end)
            begin = replace(cursor)

    def _parquet_splits(self, fields: tuple[Field, ...], size: int, most: int, report: Report) -> Iterator[Split]:
        heading: tuple[str, ...] = ()
        groups: tuple[int, ...] = ()
        with self.readable(report):
            heading, groups = _parquet_groups(self.file)
        if not heading or not _fits(self.path, 1, heading, fields, report):
            return
        step, total = size * max(most, -(-max(groups, default=0) // size)), sum(groups)
        for start in range(0, total, step):
            yield Split(self, heading, size, start, start, min(step, total - start))

    def first(self, fields: tuple[Field, ...], size: int, report: Report) -> tuple[Batch | None, bool]:
        """Return the first rows, at most `size`, and whether more follow."""
        batches = self.batches(fields, size, report)
        batch = next(batches, None)
        return batch, next(batches, None) is not None

    def count(self) -> int:
        """Count the rows, nearly: line breaks in cells count as well."""
        try:
            if self.form == "parquet":
                return int(_parquet().ParquetFile(self.file).metadata.num_rows)
            with self.opened() as stream:
                blocks = iter(lambda: stream.read(1 << 20), b"")
                return max(0, sum(block.count(b"\n") for block in blocks) - (self.form != "jsonl"))
        except (OSError, EOFError, zlib.error, ValueError):
            return 0

    def _rows(self, report: Report, cursor: Cursor) -> Iterator[tuple[int, Any]]:
        with self.readable(report):
            if self.form == "parquet":
                yield 0, _parquet_groups(self.file)[0]
                yield from _parquet_rows(self.file)
            else:
                with self.opened() as stream:
                    yield from _records(self, _lines(self, stream, report, cursor), report)

    @contextmanager
    def readable(self, report: Report) -> Iterator[None]:
        """Report that the file cannot be read, where it cannot."""
        try:
            yield
        except (OSError, EOFError, zlib.error) as error:
            words = getattr(error, "strerror", None) or str(error).splitlines()[0]
            report.add("KG101", f"cannot read {self.path}: {words}", Span(self.path))

    @contextmanager
    def opened(self) -> Iterator[io.BufferedReader]:
        """Open the file, unpacked."""
        if self.packed == "gz":
            with gzip.open(self.file) as stream:
                yield io.BufferedReader(stream, 1 << 20)
        elif self.packed == "zst":
            arrow = _arrow(self.path)
            with arrow.input_stream(str(self.file), compression="zstd") as stream:
                yield io.BufferedReader(stream, 1 << 20)
        else:
            with self.file.open("rb") as plain:
                yield plain


@dataclass(frozen=True, slots=True)
class Split:
    """A stretch of a table that holds the rows of some batches: small, and read where it is needed.

    `start` and `length` are bytes of the unpacked file, and for Parquet rows; `line` lines, or rows, stand before it.
    """

    table: Table
    heading: tuple[str, ...]
    size: int
    line: int
    start: int
    length: int

    def batches(self, file: IO[bytes], report: Report) -> Iterator[Batch]:
        """Read from the unpacked file just the batches that the table gives there."""
        with self.table.readable(report):
            rows = self._rows(file)
            while held := tuple(itertools.islice(rows, self.size)):
                yield Batch(self.table.path, self.table.form, self.heading, held)

    def _rows(self, file: IO[bytes]) -> Iterator[tuple[int, Any]]:
        table = self.table
        if table.form == "parquet":
            return _parquet_rows(file, self.start, self.length)
        file.seek(self.start)
        lines = io.BytesIO(file.read(self.length))
        # whoever cut the table has told what is wrong with its lines
        rows = _records(table, _lines(table, lines, Report(), Cursor(self.line)), Report())
        return itertools.islice(rows, int(not self.line and table.form != "jsonl"), None)


def _fits(path: str, line: int, heading: tuple[str, ...], fields: tuple[Field, ...], report: Report) -> bool:
    known = [field.key for field in fields]
    required = [field.key for field in fields if field.required]
    nested = [field.key for field in fields if field.kind in _NESTED]
    return heading_fits(path, line, heading, known, required, report, nested)


def is_table(path: Path | str) -> bool:
    """Tell whether a file's name is that of a table.

    >>> is_table("a.csv.gz"), is_table("a.yaml")
    (True, False)
    """
    return str(path).endswith(ENDINGS)


def stem_of(path: str) -> str:
    """Return a table's path without its endings.

    >>> stem_of("data/datasets/usda.records.csv.gz")
    'data/datasets/usda.records'
    """
    return next((path.removesuffix(ending) for ending in ENDINGS if path.endswith(ending)), path)


def _arrow(path: str) -> Any:
    try:
        import pyarrow
    except ImportError:
        raise AbsentError(f"reading {path} needs pyarrow: pip install 'kgbuild[parquet]'") from None
    return pyarrow


def _parquet() -> Any:
    from pyarrow import parquet

    return parquet


def _lines(table: Table, stream: IO[bytes], report: Report, cursor: Cursor) -> Iterator[tuple[int, str]]:
    """Decode lines; report a byte order mark, carriage returns in TSV, what is not UTF-8, and a line without end."""
    returns = table.form != "tsv"
    for data in iter(lambda: stream.readline(LONGEST + 1), b""):
        number = cursor.line + 1
        if len(data) > LONGEST:
            report.add("KG114", f"the row is longer than {LONGEST:,} bytes", Span(table.path, number), hint=_TOO_LONG)
            return
        try:
            line = data.decode("utf-8")
        except UnicodeDecodeError as error:
            column = len(data[: error.start].decode("utf-8", "replace")) + 1
            hint = "save the file as UTF-8"
            message = f"byte 0x{data[error.start]:02X} is not UTF-8"
            report.add("KG102", message, Span(table.path, number, column), hint=hint)
            return
        cursor.line, cursor.end = number, cursor.end + len(data)
        if number == 1 and line.startswith("\ufeff"):
            report.add("KG111", "the file starts with a byte order mark", Span(table.path), hint="save it without one")
            line = line[1:]
        line = line.removesuffix("\n")
        if line.endswith("\r"):
            line = line.removesuffix("\r")
            if not returns:
                returns = True
                hint = "save it with plain line ends"
                report.add("KG111", "the file has carriage returns", Span(table.path, number), hint=hint)
        yield number, line


def _records(table: Table, lines: Iterable[tuple[int, str]], report: Report) -> Iterator[tuple[int, str]]:
    """Put the lines of a row together: in CSV a quoted cell may hold line breaks; one that never ends is reported."""
    form, pending = table.form, list[str]()
    start = size = 0
    for number, line in lines:
        if pending:
            pending.append(line)
            size += len(line)
            if size > LONGEST:
                report.add("KG114", "a quote is opened and not closed", Span(table.path, start), hint=_TOO_LONG)
                return
            if line.count('"') % 2:
                yield start, "\n".join(pending)
                pending = []
        elif not line.strip() or (form == "tsv" and line.startswith("#")):
            continue
        elif form == "csv" and line.count('"') % 2:
            pending, start, size = [line], number, len(line)
        else:
            yield number, line
    if pending:
        yield start, "\n".join(pending)


def _parquet_groups(file: Path | IO[bytes]) -> tuple[tuple[str, ...], tuple[int, ...]]:
    """Return the heading, and how many rows each row group has."""
    with _broken_parquet(), _parquet().ParquetFile(file) as opened:
        groups = tuple(opened.metadata.row_group(number).num_rows for number in range(opened.num_row_groups))
        return tuple(opened.schema_arrow.names), groups


def _parquet_rows(file: Path | IO[bytes], start: int = 0, count: int | None = None) -> Iterator[tuple[int, Any]]:
    """Return the rows behind the first `start`, up to `count`, with their numbers; read no more than their groups."""
    with _broken_parquet(), _parquet().ParquetFile(file) as opened:
        end = opened.metadata.num_rows if count is None else start + count
        number, wanted = 0, []
        for group in range(opened.num_row_groups):
            first, number = number, number + opened.metadata.row_group(group).num_rows
            if first < end and number > start:
                wanted.append((first, group))
        number = wanted[0][0] if wanted else 0
        for batch in opened.iter_batches(batch_size=1000, row_groups=[group for _, group in wanted]):
            first, number = number, number + batch.num_rows
            kept = batch.slice(max(0, start - first), max(0, min(number, end) - max(first, start)))
            yield from enumerate(kept.to_pylist(), max(first, start) + 1)


@contextmanager
def _broken_parquet() -> Iterator[None]:
    arrow = _arrow("Parquet")
    try:
        yield
    except arrow.ArrowException as error:
        raise OSError(str(error)) from error


def _split(form: str, row: str) -> list[tuple[int, str]]:
    try:
        return _tsv(row) if form == "tsv" else _csv(row)
    except _BrokenRowError:
        return [(0, row)]


def _tsv(text: str) -> list[tuple[int, str]]:
    """Split a row at tabs: the offset and text of each cell."""
    found = []
    offset = 0
    for cell in text.split("\t"):
        found.append((offset, cell))
        offset += len(cell) + 1
    return found


def _csv(text: str) -> list[tuple[int, str]]:
    """Split a row at commas outside quotes (RFC 4180)."""
    if '"' not in text:
        found = []
        offset = 0
        for cell in text.split(","):
            found.append((offset, cell))
            offset += len(cell) + 1
        return found
    found, offset = [], 0
    while True:
        match = _CELL.match(text, offset)
        if match is None:
            hint = 'put the whole cell in quotes, and write a quote in it as ""'
            raise _BrokenRowError("a quote stands inside a cell", offset + 1, hint)
        quoted = match[1] is not None
        found.append((offset + quoted, match[1].replace('""', '"') if quoted else match[2]))
        offset = match.end() + 1
        if offset > len(text):
            return found


def _cells(
    path: str, line: int, heading: tuple[str, ...], cells: list[tuple[int, str]], kinds: dict[str, Kind], report: Report
) -> Mapping:
    if len(cells) != len(heading):
        message = f"the row has {len(cells)} cells, the heading has {len(heading)}"
        tabs = "cells are separated by one tab each"
        commas = "put a cell that holds a comma in quotes"
        raise _BrokenRowError(message, 1, tabs if ".tsv" in path else commas)
    entries: dict[str, tuple[Span, Value]] = {}
    for column, (offset, cell) in zip(heading, cells, strict=True):
        if text := cell.strip():
            _enter(entries, column, text, Span(path, line, offset + 1, max(1, len(text))), kinds, report)
    return Mapping(entries, entries["id"][0] if "id" in entries else Span(path, line))


def _enter(
    entries: dict[str, tuple[Span, Value]], column: str, text: str, span: Span, kinds: dict[str, Kind], report: Report
) -> None:
    """Put a cell where YAML would have it: `object-quantity.min` below `object-quantity`."""
    kind = kinds.get(column)
    if kind is None and "." in column:
        _enter_below(entries, column, Scalar(text, span), span, kinds, report)
        return
    value = _cell(text, span, kind or Kind.TEXT, report)
    if value is not None:
        entries[column] = (span, value)


def _enter_below(
    entries: dict[str, tuple[Span, Value]],
    column: str,
    value: Value,
    span: Span,
    kinds: dict[str, Kind],
    report: Report,
) -> None:
    """Put the value of a column with a dot below the key before the dot."""
    key, *below = column.split(".")
    held = entries.setdefault(key, (span, Mapping({}, span)))[1]
    if not isinstance(held, Mapping):
        report.add("KG104", f"'{key}' is given in two columns", span)
        return
    inner = held.entries
    match kinds.get(key), below:
        case Kind.QUALIFIERS, [name, "entity"]:
            named = [Mapping({"entity": (item.span, item)}, item.span) for item in _items(value, span)]
            _add(inner, name, span, named)
        case Kind.QUALIFIERS, [name]:
            _add(inner, name, span, list(_items(value, span)))
        case Kind.LOCALIZED_LIST, [name]:
            inner[name] = (span, Sequence(_items(value, span), span))
        case _, _:
            inner[".".join(below)] = (span, value)


def _items(value: Value, span: Span) -> tuple[Value, ...]:
    """Return the items of a list, which a cell of text joins by `|`."""
    if isinstance(value, Scalar):
        return _list(value.text, span).items
    return value.items if isinstance(value, Sequence) else (value,)


def _add(entries: dict[str, tuple[Span, Value]], name: str, span: Span, values: list[Any]) -> None:
    """Add to a list, which may have been begun by another column."""
    held = entries.get(name)
    before = held[1].items if held is not None and isinstance(held[1], Sequence) else ()
    entries[name] = (held[0] if held else span, Sequence((*before, *values), span))


def _list(text: str, span: Span) -> Sequence:
    parts = []
    start = span.column
    for part in text.split("|"):
        parts.append(Scalar(part.strip(), Span(span.path, span.line, start, max(1, len(part)))))
        start += len(part) + 1
    return Sequence(tuple(parts), span)


def _cell(text: str, span: Span, kind: Kind, report: Report) -> Value | None:
    """Return the value of a cell: a scalar, a list where parts are joined by `|`, or qualifiers."""
    if kind in _LISTS:
        return _list(text, span)
    if kind is not Kind.QUALIFIERS:
        return Scalar(text, span)
    pairs: dict[str, list[Value]] = {}
    places: dict[str, Span] = {}
    for item in _list(text, span).items:
        assert isinstance(item, Scalar)
        name, mark, value = item.text.partition("=")
        if not mark or not value.strip():
            report.add("KG107", f"'{item.text}' must be type=text", item.span, hint="such as population=older adults")
            return None
        pairs.setdefault(name.strip(), []).append(Scalar(value.strip(), item.span))
        places.setdefault(name.strip(), item.span)
    return Mapping({name: (places[name], Sequence(tuple(items), places[name])) for name, items in pairs.items()}, span)


def _json_row(path: str, line: int, text: str) -> Mapping:
    def pairs(found: list[tuple[str, Any]]) -> dict[str, Any]:
        made = dict(found)
        if len(made) < len(found):
            key, _ = min(item for item in Counter(key for key, _ in found).items() if item[1] > 1)
            raise _BrokenRowError(f"key '{key}' is given twice", text.find(f'"{key}"') + 1)
        return made

    def constant(word: str) -> str:
        raise _BrokenRowError(f"{word} is no number of JSON", text.find(word) + 1)

    try:
        value = json.loads(text, object_pairs_hook=pairs, parse_int=str, parse_float=str, parse_constant=constant)
    except json.JSONDecodeError as error:
        raise _BrokenRowError(f"broken JSON: {error.msg}", error.pos + 1, "each line is one JSON object") from None
    except RecursionError:
        raise _BrokenRowError("the row is nested too deep", 1) from None
    if not isinstance(value, dict):
        raise _BrokenRowError("the row is no JSON object", 1, "each line is one JSON object")
    entries: dict[str, tuple[Span, Value]] = {}
    for key, item in value.items():
        if item is not None:
            column = max(0, text.find(f'"{key}"')) + 1
            place = column + len(key) + 3
            while place <= len(text) and text[place - 1] in " :":
                place += 1
            shown = len(item) + 2 if isinstance(item, str) else 1
            entries[key] = (Span(path, line, column, len(key) + 2), _value(item, Span(path, line, place, shown)))
    return Mapping(entries, entries["id"][1].span if "id" in entries else Span(path, line))


def _values(
    path: str, line: int, heading: tuple[str, ...], row: dict[str, Any], kinds: dict[str, Kind], report: Report
) -> Mapping:
    """Return a row of Parquet: texts are cells as in CSV, lists and structs are what they are."""
    entries: dict[str, tuple[Span, Value]] = {}
    for number, column in enumerate(heading, 1):
        value = row[column]
        span = Span(path, line, number)
        if isinstance(value, str):
            if text := forbidden_in_line(path, line, value, report).strip():
                _enter(entries, column, text, span, kinds, report)
        elif value is not None:
            made = _value(value, span)
            if "." in column and column not in kinds:
                _enter_below(entries, column, made, span, kinds, report)
            else:
                entries[column] = (span, made)
    return Mapping(entries, entries["id"][0] if "id" in entries else Span(path, line))


def _value(item: Any, span: Span, depth: int = 0) -> Value:
    """Turn a value of JSON or Parquet into one that YAML gives; numbers keep their digits."""
    if depth > DEEPEST:
        raise _BrokenRowError("the row is nested too deep", span.column)
    if isinstance(item, bytes):
        raise _BrokenRowError("the row holds bytes where text is meant", span.column, "write the column as text")
    if isinstance(item, dict):
        inner = {key: (span, _value(value, span, depth + 1)) for key, value in item.items() if value is not None}
        return Mapping(inner, span)
    if isinstance(item, list | tuple):
        return Sequence(tuple(_value(value, span, depth + 1) for value in item if value is not None), span)
    if isinstance(item, bool):
        return Scalar("true" if item else "false", span)
    if isinstance(item, float):
        return Scalar(format(Decimal(repr(item)), "f") if item == item and abs(item) < 1e300 else repr(item), span)
    return Scalar(str(item), span)
