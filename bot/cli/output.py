"""What commands print: laid out on a terminal, plain when piped.

Piped output has no colors, no box drawing, and no added line breaks. A table is one record per line,
its cells separated by tabs, below a line of titles.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from rich import box
from rich.cells import cell_len
from rich.console import Console
from rich.table import Table
from rich.text import Text

_GAP = 3  # characters between two columns of a table
_MIN_PROSE = 20  # characters; a narrower column of sentences cannot be read
_BREAKS = re.compile(r"\s*[\t\r\n\v\f]\s*")


@dataclass(frozen=True, slots=True)
class Column:
    title: str
    #: Whether long cells may take several lines. Labels, numbers, and what people copy may not.
    wraps: bool = False
    right: bool = False


def print_line(console: Console, text: str, style: str = "") -> None:
    """Prints a sentence, wrapped on a terminal only."""
    console.print(Text(text, style=style), soft_wrap=not console.is_terminal)


def print_table(
    console: Console, columns: Sequence[Column], rows: Sequence[Sequence[str | Text]]
) -> None:
    """Prints a table; where the terminal is too narrow for one, the records below each other."""
    cells = [[Text(cell) if isinstance(cell, str) else cell for cell in row] for row in rows]
    if not console.is_terminal:
        for line in ([Text(column.title) for column in columns], *cells):
            # Not through the console, which expands tabs.
            console.file.write("\t".join(_BREAKS.sub(" ", cell.plain) for cell in line) + "\n")
    elif _width(columns, cells) <= console.width:
        console.print(_table(columns, cells))
    else:
        _print_records(console, columns, cells)


def _width(columns: Sequence[Column], rows: Sequence[Sequence[Text]]) -> int:
    """The least width of a terminal on which the table can be read."""
    least = (
        min(width, _MIN_PROSE) if column.wraps else width
        for column, width in zip(columns, _widths(columns, rows), strict=True)
    )
    return sum(least) + _GAP * len(columns)


def _widths(columns: Sequence[Column], rows: Sequence[Sequence[Text]]) -> list[int]:
    """The width of each column if no cell wraps."""
    return [
        max(cell_len(line) for cell in column for line in cell.splitlines() or [""])
        for column in zip(
            (column.title for column in columns),
            *([cell.plain for cell in row] for row in rows),
            strict=True,
        )
    ]


def _table(columns: Sequence[Column], rows: Sequence[Sequence[Text]]) -> Table:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for column, width in zip(columns, _widths(columns, rows), strict=True):
        table.add_column(
            Text(column.title),
            justify="right" if column.right else "left",
            overflow="fold",
            no_wrap=not column.wraps,
            min_width=min(width, _MIN_PROSE) if column.wraps else width,
        )
    for row in rows:
        table.add_row(*row)
    return table


def _print_records(
    console: Console, columns: Sequence[Column], rows: Sequence[Sequence[Text]]
) -> None:
    for row in rows:
        for column, cell in zip(columns, row, strict=True):
            line = Text.assemble((f"{column.title}: ", "bold"), cell)
            # What may not wrap is left to the terminal, so that it is copied in one piece.
            console.print(line, soft_wrap=not column.wraps)
        console.print()
