"""Tables for people: as wide as the terminal; where columns would be too narrow to read, a block of lines per row."""

from __future__ import annotations

import sys
from collections.abc import Sequence

_READABLE = 14
"""Characters below which a column of longer text is too narrow to read."""


def print_table(heading: Sequence[str], rows: Sequence[Sequence[str]], *, color: bool) -> None:
    """Print rows under a heading, fitted to the terminal."""
    from rich import box
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    console = Console(file=sys.stdout, no_color=not color, highlight=False)
    shown = [[_visible(cell) for cell in row] for row in rows]
    if not fits(heading, shown, console.width):
        _print_blocks(heading, shown, console)
        return
    table = Table(box=box.SIMPLE_HEAD, header_style="bold", pad_edge=False, show_edge=False)
    for name in heading:
        table.add_column(Text(name), overflow="fold")
    for row in shown:
        table.add_row(*map(Text, row))
    console.print(table)


def fits(heading: Sequence[str], rows: Sequence[Sequence[str]], width: int) -> bool:
    """Tell whether every column can have its natural or at least a readable width.

    >>> fits(["a", "b"], [["x", "a long text that can be folded"]], 20), fits(["a"] * 5, [["some words here"] * 5], 60)
    (True, False)
    """
    columns = [[name, *(row[number] for row in rows)] for number, name in enumerate(heading)]
    needed = [min(max(map(len, cells)), max(_READABLE, *(len(cells[0]),))) for cells in columns]
    return sum(needed) + 2 * (len(needed) - 1) <= width


def _print_blocks(heading: Sequence[str], rows: Sequence[Sequence[str]], console: object) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    assert isinstance(console, Console)
    for number, row in enumerate(rows, 1):
        block = Table.grid(padding=(0, 2))
        block.add_column(style="dim", no_wrap=True)
        block.add_column(overflow="fold")
        for name, cell in zip(heading, row, strict=True):
            if cell:
                block.add_row(Text(name), Text(cell))
        console.rule(Text(str(number)), align="left", characters="─", style="dim")
        console.print(block)


def _visible(cell: str) -> str:
    """Show control characters and bidi controls as escapes, so that data cannot steer the terminal.

    >>> _visible("a\\x1b[31m")
    'a\\\\x1b[31m'
    """
    return "".join(char if char.isprintable() or char == "\n" else ascii(char)[1:-1] for char in cell)
