"""Tables: tab-separated files with a heading, each cell with its place. Comment lines start with `#`."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass

from kgbuild.diagnostics import Report, Span, did_you_mean
from kgbuild.source import Source


@dataclass(frozen=True, slots=True)
class Row:
    """One row: its line, its cells by column (empty ones left out), and where each starts."""

    path: str
    line: int
    cells: dict[str, str]
    columns: dict[str, int]

    def span(self, column: str) -> Span:
        """Return the place of a cell, or of the row where it has none."""
        length = max(1, len(self.cells.get(column, "")))
        return Span(self.path, self.line, self.columns.get(column, 1), length)


def read_table(source: Source, known: Iterable[str], required: Iterable[str], report: Report) -> list[Row]:
    """Read the rows below the heading; report unknown, missing and doubled columns and rows of another width."""
    known = tuple(known)
    heading: list[str] | None = None
    rows = []
    for number, line in enumerate(source.text.split("\n"), 1):
        if line.startswith("#") or not line.strip():
            continue
        cells = line.split("\t")
        if heading is None:
            heading = [cell.strip() for cell in cells]
            if not heading_fits(source.path, number, heading, known, tuple(required), report):
                return []
            continue
        if len(cells) != len(heading):
            message = f"the row has {len(cells)} cells, the heading has {len(heading)}"
            report.add("KG114", message, Span(source.path, number), hint="cells are separated by one tab each")
            continue
        starts = []
        column = 1
        for cell in cells:
            starts.append(column)
            column += len(cell) + 1
        values = {name: cell.strip() for name, cell in zip(heading, cells, strict=True) if cell.strip()}
        rows.append(Row(source.path, number, values, dict(zip(heading, starts, strict=True))))
    if heading is None:
        report.add("KG108", "the table has no heading", Span(source.path))
    return rows


def heading_fits(
    path: str,
    line: int,
    heading: Sequence[str],
    known: Sequence[str],
    required: Sequence[str],
    report: Report,
    nested: Collection[str] = (),
) -> bool:
    """Report unknown, missing and doubled columns; a column such as `a.b` is known where `a` is in `nested`."""
    fits = True
    for column in dict.fromkeys(heading):
        if heading.count(column) > 1:
            report.add("KG104", f"column '{column}' is given twice", Span(path, line))
            fits = False
        if column not in known and not ("." in column and column.partition(".")[0] in nested):
            hint = did_you_mean(column, known) or f"known columns: {', '.join(known)}"
            report.add("KG105", f"unknown column '{column}'", Span(path, line), hint=hint)
            fits = False
    for column in required:
        if column not in heading and not any(other.startswith(f"{column}.") for other in heading):
            report.add("KG106", f"the table has no column '{column}'", Span(path, line))
            fits = False
    return fits
