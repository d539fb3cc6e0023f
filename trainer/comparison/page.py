"""A comparison as a page of its own, in the style of a report."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from trainer.comparison.comparison import Comparison, Row
from trainer.report.page import MAX_ROWS, html_page, table_html


def comparison_page(comparison: Comparison) -> str:
    """Make the HTML page of a comparison."""
    first, second = comparison.sides
    notes = "".join(f"<p>{escape(note)}.</p>\n" for note in comparison.notes)
    classes = ""
    if comparison.classes:
        classes = (
            "<h2>Recall by class</h2>\n<p>Recall is the share of a class's images that"
            " are found. The largest difference stands first.</p>\n"
            f"{_table('class', comparison.classes[:MAX_ROWS])}"
        )
    return html_page(
        f"{first.shown} and {second.shown}",
        f"<h1>{escape(first.shown)} and {escape(second.shown)}</h1>\n"
        f'<p class="quiet">A is {escape(first.shown)}, trained on'
        f" {escape(first.data_set)} ({escape(first.how)}); B is"
        f" {escape(second.shown)}, trained on {escape(second.data_set)}"
        f" ({escape(second.how)}).</p>\n"
        f"{notes}<h2>Figures</h2>\n{_table('figure', comparison.rows)}\n{classes}",
    )


def _table(heading: str, rows: Sequence[Row]) -> str:
    return table_html(
        [heading, "A", "B", "B less A", "better"],
        [[escape(row.name), *map(escape, row.cells), row.winner] for row in rows],
    )
