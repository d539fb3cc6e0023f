"""Rows of the pages' tables."""


def row(*cells: str) -> str:
    """Write a row, whose cells are HTML already."""
    return "<tr>" + "".join(f"<td>{cell}</td>" for cell in cells) + "</tr>"
