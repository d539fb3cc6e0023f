"""The works of others that travel in the wheel: the table of LICENSES.md."""

from __future__ import annotations

import re
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "LICENSES.md"
_HEAD = "| name | version | licence | files | text |\n"


class Work(NamedTuple):
    """One work of others.

    Attributes:
        name: the one that its authors use.
        version: the version from which the files come.
        licence: an identifier of SPDX, such as ``Apache-2.0``.
        files: patterns of files, from the root of the clone.
        texts: files with the text of the licence, from the root of the clone.
    """

    name: str
    version: str
    licence: str
    files: list[str]
    texts: list[str]


def works() -> list[Work]:
    """Return the rows of the table, in their order.

    Raises:
        ValueError: the table is missing, or a row has not five cells.
    """
    _, found, rest = PAGE.read_text(encoding="utf-8").partition(_HEAD)
    if not found:
        raise ValueError(f"{PAGE.name} has no table that begins with {_HEAD.strip()}")
    rows = rest.partition("\n\n")[0].splitlines()[1:]
    told = []
    for row in rows:
        cells = [cell.strip() for cell in row.strip("|").split("|")]
        if len(cells) != 5:
            raise ValueError(f"a row of {PAGE.name} has not five cells: {row}")
        name, version, licence, files, texts = cells
        quoted = [re.findall(r"`([^`]+)`", cell) for cell in (files, texts)]
        told.append(Work(name, version, licence, *quoted))
    return told
