"""Tables of Markdown."""

from __future__ import annotations

from collections.abc import Iterable, Sequence


def table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table with one line a row; a ``|`` in a cell does not end it."""
    lines = [heads, ["---"] * len(heads), *rows]
    return "\n".join(
        f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in line)} |"
        for line in lines
    )


def code(text: str) -> str:
    """A text in the type of code; nothing if there is none."""
    return f"`{text}`" if text else ""


def sentence(text: str) -> str:
    """A text that begins with a capital and ends with a full stop.

    A first word that is no plain word, such as a file's name, stays as it is.
    """
    text = " ".join(text.split()).replace("``", "`").rstrip(".")
    first, _, _ = text.partition(" ")
    return (text[:1].upper() + text[1:] if first.isalpha() else text) + "."
