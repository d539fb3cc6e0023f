"""This finds the documents and their shell blocks, with the marker of each block."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parents[1]

# The commands of these pages are typed one after the other in one folder, in this
# order. A block that is called "serve" starts the server that the blocks after it ask.
PAGES = (
    "docs/training.md",
    "docs/converting.md",
    "docs/reference/config.md",
    "docs/serving.md",
    "docs/own-model.md",
    "docs/client.md",
    "docs/scoring.md",
    "docs/versions.md",
    "docs/observing.md",
    "docs/securing.md",
)

# tests/end_to_end/test_moving.py types this one, in a folder of TFaaS's.
MOVING = "docs/moving.md"

_BLOCK = re.compile(
    r"(?:<!-- (?P<marker>transcript|not run): (?P<word>[^>]+?) -->\n)?"
    r"```sh\n(?P<text>.*?)```",
    re.DOTALL,
)


class Block(NamedTuple):
    """A shell block of a page.

    Attributes:
        marker: ``transcript`` if a test types it, ``not run`` if none does.
        word: the transcript's name, or the reason why no test types the block.
        text: the commands as they stand there.
    """

    marker: str
    word: str
    text: str


def documents() -> list[Path]:
    """Return README.md and all pages in docs/, the generated ones too."""
    return [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]


def markdown_of(page: Path) -> str:
    """Return a page's text; that of a notebook has its Markdown cells alone."""
    text = page.read_text(encoding="utf-8")
    if page.suffix != ".ipynb":
        return text
    cells = json.loads(text)["cells"]
    return "\n\n".join(
        "".join(cell["source"]) for cell in cells if cell["cell_type"] == "markdown"
    )


def blocks(page: Path) -> list[Block]:
    """Return the shell blocks of a page, in their order."""
    return [
        Block(found["marker"] or "", found["word"] or "", found["text"])
        for found in _BLOCK.finditer(page.read_text(encoding="utf-8"))
    ]


def transcripts(name: str) -> list[Block]:
    """Return the blocks of a page that a test types; PAGES and MOVING name pages."""
    return [block for block in blocks(ROOT / name) if block.marker == "transcript"]
