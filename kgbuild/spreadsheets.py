"""CSV that spreadsheets open without running anything: RFC 4180, UTF-8, cells that look like formulas kept as text.

Pure: text in, bytes out.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence

from kgbuild.read.records import decimal

_RUNS = frozenset("=+-@\t\r\n＝＋－＠")


def inert(cell: str) -> str:
    """Put an apostrophe before a cell that a spreadsheet would run as a formula; numbers stay as they are.

    >>> inert("=1+1"), inert("-3.5"), inert("kale")
    ("'=1+1", '-3.5', 'kale')
    """
    runs = cell[:1] in _RUNS and bool(cell) and decimal(cell) is None
    return f"'{cell}" if runs else cell


def write_csv(heading: Sequence[str], rows: Iterable[Sequence[str]]) -> bytes:
    """Write rows under a heading as CSV (RFC 4180), every cell inert.

    >>> write_csv(("a", "b"), [("=x", "y, z")])
    b'a,b\\r\\n\\'=x,"y, z"\\r\\n'
    """
    output = io.StringIO()
    writer = csv.writer(output, lineterminator="\r\n")
    writer.writerow(heading)
    for row in rows:
        writer.writerow([inert(cell) for cell in row])
    return output.getvalue().encode("utf-8")
