"""A comparison as tables in a terminal."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Console
from rich.table import Table
from rich.text import Text

from bundle.terminal import printable
from trainer.comparison.comparison import Comparison, Row

# More classes would push the first table out of the terminal.
_MAX_CLASSES = 20


def print_comparison(comparison: Comparison) -> None:
    """Print the figures of both bundles, and the classes that differ most."""
    console = Console()
    for letter, side in zip("AB", comparison.sides, strict=True):
        told = f"{letter}: {side.shown}, on {side.data_set} ({side.how})"
        console.print(Text(printable(told)))
    console.print(_table("", comparison.rows))
    shown = [row for row in comparison.classes if row.difference][:_MAX_CLASSES]
    if shown:
        console.print(_table("recall by class, the largest difference first", shown))
    for note in comparison.notes:
        console.print(Text(printable(f"note: {note}")))


def _table(title: str, rows: Sequence[Row]) -> Table:
    table = Table(title=title or None, title_justify="left")
    for heading in ("class" if title else "", "A", "B", "B less A", "better"):
        is_first = heading in ("", "class")
        table.add_column(heading, justify="left" if is_first else "right")
    for row in rows:
        # A Text is printed as it is: brackets in it are not markup.
        cells = (Text(printable(cell)) for cell in (row.name, *row.cells, row.winner))
        table.add_row(*cells)
    return table
