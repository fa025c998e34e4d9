"""Tables for people: as wide as the terminal, long cells folded, or plain tab-separated lines in a pipe."""

from __future__ import annotations

import sys
from collections.abc import Sequence


def print_table(heading: Sequence[str], rows: Sequence[Sequence[str]], *, color: bool) -> None:
    """Print rows under a heading, fitted to the terminal."""
    from rich import box
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    console = Console(file=sys.stdout, no_color=not color, highlight=False, soft_wrap=False)
    table = Table(box=box.SIMPLE_HEAD, header_style="bold", pad_edge=False, show_edge=False)
    for name in heading:
        table.add_column(Text(name), overflow="fold")
    for row in rows:
        table.add_row(*(Text(_visible(cell)) for cell in row))
    console.print(table)


def _visible(cell: str) -> str:
    """Show control characters and bidi controls as escapes, so that data cannot steer the terminal.

    >>> _visible("a\\x1b[31m")
    'a\\\\x1b[31m'
    """
    return "".join(char if char.isprintable() or char == "\n" else ascii(char)[1:-1] for char in cell)
