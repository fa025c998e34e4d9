"""Files outside a project that queries see beside its graph: RDF, and tables, each in a graph of its own.

A table becomes RDF in the minimal mode of csv2rdf (W3C, Generating RDF from Tabular Data on the Web, §4), with names
that do not depend on where the file lies: `<https://w3id.org/kgbuild/table/STEM#row=N>` for the row at line N,
`…#COLUMN` for a column. A column is numeric where each of its cells is a number without leading zeros.
"""

from __future__ import annotations

import csv
import gzip
import io
import re
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final
from urllib.parse import quote

import pyoxigraph as ox

from kgbuild.diagnostics import UnreadableError, UsageError
from kgbuild.store import OxigraphStore
from kgbuild.terms import KGBUILD, XSD

TABLES: Final = f"{KGBUILD}/table/"
_DELIMITERS: Final = {".csv": ",", ".tsv": "\t"}
_INTEGER: Final = re.compile(r"-?(0|[1-9][0-9]{0,17})\Z")
_DECIMAL: Final = re.compile(r"-?(0|[1-9][0-9]{0,17})\.[0-9]{1,18}\Z")


def with_files(store: OxigraphStore, paths: Sequence[Path]) -> tuple[OxigraphStore, dict[str, str]]:
    """Return a copy of a store with files beside its graphs, and prefixes for the columns of the tables among them.

    Raises `UnreadableError` for a file that cannot be read, and `UsageError` for one of an unknown kind.
    """
    joined = store.copy()
    prefixes = {}
    for path in paths:
        joined.extend(read_file(path))
        if _ending(path) in _DELIMITERS and re.fullmatch(r"[A-Za-z]\w*", _stem(path)):
            prefixes[_stem(path)] = f"{TABLES}{quote(_stem(path))}#"
    return joined, prefixes


def read_file(path: Path) -> Iterator[ox.Quad]:
    """Return the quads of a file of RDF or of a table, packed with gzip or not."""
    ending = _ending(path)
    form = ox.RdfFormat.from_extension(ending.removeprefix("."))
    if ending not in _DELIMITERS and form is None:
        raise UsageError(f"{path.name} is neither a table (.csv, .tsv) nor RDF (.ttl, .nt, .nq, .trig, .rdf, .jsonld)")
    try:
        data = path.read_bytes()
        text = gzip.decompress(data) if path.suffix == ".gz" else data
        if ending in _DELIMITERS:
            yield from table_quads(_stem(path), text.decode("utf-8-sig"), _DELIMITERS[ending])
            return
        graph = ox.NamedNode(f"{TABLES}{quote(_stem(path))}")
        for quad in ox.parse(text, form, rename_blank_nodes=True):
            kept = graph if isinstance(quad.graph_name, ox.DefaultGraph) else quad.graph_name
            yield ox.Quad(quad.subject, quad.predicate, quad.object, kept)
    except OSError as error:
        raise UnreadableError(f"cannot read {path}: {error.strerror or error}") from error
    except (UnicodeDecodeError, SyntaxError, ValueError, EOFError, zlib.error, csv.Error) as error:
        raise UnreadableError(f"cannot read {path}: {error}") from error


def table_quads(name: str, text: str, delimiter: str) -> Iterator[ox.Quad]:
    """Return the quads of a table, row by row; raise `ValueError` where it is none. Empty cells say nothing.

    >>> [str(quad.object) for quad in table_quads("foods", "ndb,mg\\n01001,2\\n01002,1.5\\n", ",")]
    ['"01001"', '"2"^^<http://www.w3.org/2001/XMLSchema#decimal>', '"01002"', '"1.5"^^<http://www.w3.org/2001/XMLSchema#decimal>']
    """
    lines = io.StringIO(text, newline="")
    if delimiter == ",":
        reader = csv.reader(lines, strict=True)
    else:
        reader = csv.reader(lines, delimiter=delimiter, quoting=csv.QUOTE_NONE)
    heading = next(reader, [])
    if not heading or len(set(heading)) < len(heading) or not all(cell.strip() for cell in heading):
        raise ValueError("the first line must name every column, each once")
    rows = []
    for row in reader:
        if row and len(row) != len(heading):
            raise ValueError(f"line {reader.line_num} has {len(row)} cells, not {len(heading)}")
        rows.append((reader.line_num, row))
    graph = ox.NamedNode(f"{TABLES}{quote(name)}")
    columns = [ox.NamedNode(f"{graph.value}#{quote(cell)}") for cell in heading]
    types = [_type([row[place] for _, row in rows if row]) for place in range(len(heading))]
    for line, row in rows:
        subject = ox.NamedNode(f"{graph.value}#row={line}")
        for column, datatype, cell in zip(columns, types, row, strict=False):
            if cell:
                yield ox.Quad(subject, column, ox.Literal(cell, datatype=datatype), graph)


def _type(cells: Sequence[str]) -> ox.NamedNode:
    """Return the datatype of a column: integer, decimal, or string where a cell is neither."""
    given = [cell for cell in cells if cell]
    if given and all(_INTEGER.match(cell) for cell in given):
        return ox.NamedNode(XSD + "integer")
    if given and all(_INTEGER.match(cell) or _DECIMAL.match(cell) for cell in given):
        return ox.NamedNode(XSD + "decimal")
    return ox.NamedNode(XSD + "string")


def _ending(path: Path) -> str:
    return Path(path.stem).suffix.lower() if path.suffix == ".gz" else path.suffix.lower()


def _stem(path: Path) -> str:
    return Path(path.stem).stem if path.suffix == ".gz" else path.stem
