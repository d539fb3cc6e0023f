"""Reference pages: text written by hand, with blocks that the code writes.

A block begins with ``<!-- generated: NAME ARGUMENTS -->`` and ends with
``<!-- end of generated -->``. Its name is that of a module beside this one.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from tools.reference import commands, config, errors, metrics, openapi, params, routes

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / "docs" / "reference"

_BLOCK = re.compile(
    r"(<!-- generated: (?P<name>\w+)(?P<arguments>[^>]*?) -->\n)"
    r".*?"
    r"(<!-- end of generated -->)",
    re.DOTALL,
)

# Each writes one block; its arguments are the words after its name in the marker.
GENERATORS: Mapping[str, Callable[[Sequence[str]], str]] = {
    "commands": commands.block,
    "config": config.block,
    "errors": errors.block,
    "metrics": metrics.block,
    "operations": openapi.operations,
    "params": params.block,
    "routes": routes.block,
    "types": openapi.types,
}


def pages() -> list[Path]:
    """The reference pages, in the order of their names."""
    return sorted(FOLDER.glob("*.md"))


def renewed(text: str) -> str:
    """A page with each of its generated blocks written anew.

    Raises:
        KeyError: a marker names a block, or gives an argument, that is not known.
    """

    def write(found: re.Match[str]) -> str:
        made = GENERATORS[found["name"]](found["arguments"].split())
        return f"{found[1]}\n{made.strip()}\n\n{found[4]}"

    return _BLOCK.sub(write, text)


def arguments(text: str, name: str) -> list[str]:
    """The arguments of all blocks of one name in a page, in their order."""
    return [
        word
        for found in _BLOCK.finditer(text)
        if found["name"] == name
        for word in found["arguments"].split()
    ]
