"""A CSV file that lists pictures: one column has their paths."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from runtime.admin.errors import AdminError
from runtime.errors import InvalidInput
from runtime.scoring.chunks import Kept
from runtime.scoring.csv_file import Header, records, values_of
from runtime.scoring.files import text_of
from runtime.scoring.pictures import PictureFiles

# One of these columns has the paths; the trainer's lists of pictures have them, too.
PATHS = ("path", "file", "filename", "filepath", "image", "imagepath")


def path_column(header: Header) -> str:
    """Return the name of the column with paths; empty if there is none."""
    found = [name for name in header.names if _bare(name) in PATHS]
    return found[0] if found else ""


def _bare(name: str) -> str:
    return re.sub(r"[\W_]", "", name).lower()


def listed_pictures(
    path: Path, header: Header, column: str, keep: Sequence[str]
) -> PictureFiles:
    """Read a list of pictures.

    Args:
        path: the CSV file; the paths in it are relative to its folder.
        header: its first record.
        column: the column with the paths.
        keep: the columns that are kept.

    Raises:
        AdminError: a column is missing, or a row cannot be read.
    """
    places = [header.place(path, name) for name in (column, *keep)]
    rows: list[list[str]] = []
    for number, record in enumerate(records(path)):
        try:
            (row,) = values_of([record], header.delimiter, len(header.names))
        except InvalidInput as ex:
            raise AdminError(
                f"{text_of(path)}: row {number} after the header is no row of"
                f" {len(header.names)} values in UTF-8"
            ) from ex
        rows.append([row[place] for place in places])
    if not rows:
        raise AdminError(f"{text_of(path)} has a header and no rows")
    names, *columns = zip(*rows, strict=True)
    return PictureFiles(
        names,
        [str(path.parent / name) for name in names],
        tuple(Kept(name, "text") for name in keep),
        tuple(columns),
        beside=[path],
    )
