"""A reader of a CSV file that lists pictures by their paths, each with its label.

The header names the columns: one of paths, one of labels, and perhaps one that says to
which part of the data set a picture belongs. Paths begin at the CSV's own folder.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from trainer.errors import DataError
from trainer.formats import Arrays, Form
from trainer.formats.parts import SPELLINGS, VALID_TESTS, VALID_TRAINS, Part, part_of
from trainer.formats.pictures import Picture, read_pictures
from trainer.images import choose

_PATHS = ("path", "file", "filename", "filepath", "image", "imagepath")
_LABELS = ("label", "class", "target")
_SPLITS = ("split", "part")

# The one that the header has most often parts its columns.
_DELIMITERS = (",", ";", "\t")


class _Row(NamedTuple):
    """One picture of the list.

    Attributes:
        part: its part; None if the list has no such column.
    """

    picture: Picture
    label: str
    part: Part | None


def header_of(path: Path) -> list[str]:
    """Read the names of a CSV's columns; none if the file is empty.

    Raises:
        DataError: the file cannot be read, or is no CSV.
    """
    return next((fields for _, fields in _lines(path)), [])


def is_image_list(header: Sequence[str]) -> bool:
    """Tell by its columns' names whether a CSV lists pictures, and is no table."""
    return any(_bare(name) in _PATHS for name in header)


def read_image_list(
    path: Path, form: Form, max_bytes: int, label: str | None = None
) -> Arrays:
    """Read the pictures that a CSV lists.

    Args:
        path: the CSV, in UTF-8. Its columns are parted by commas, semicolons or tabs.
        form: the form that all images get; see ``read_pictures``.
        max_bytes: pixels of more bytes are kept on disk.
        label: the name of the column of labels; None finds it by its usual names.

    Returns:
        Images ``(N, H, W, C)`` uint8, and their labels ``(N,)`` as texts.

    Raises:
        DataError: the file is no such list, or is damaged, or too many of its pictures
            cannot be read.
        WriteFailed: the disk refuses the pixels.
    """
    rows = list(_rows(path, label))
    if not rows:
        raise DataError(f"{path} has no row below its header; add the pictures")
    parts = {row.part for row in rows}
    if "train" not in parts and None not in parts:
        raise DataError(f"{path} has no row of the part train; add some")
    notes, test = [], {"test"}
    if "test" in parts and "valid" in parts:
        notes.append(VALID_TRAINS)
    elif "valid" in parts:
        notes.append(VALID_TESTS)
        test = {"valid"}
    # Those to test on come last, and all else stays in order.
    rows.sort(key=lambda row: row.part in test)
    album = read_pictures(path, [row.picture for row in rows], form, max_bytes)
    labels = np.array([row.label for row in rows])[album.places]
    is_tested = np.array([row.part in test for row in rows])
    count = len(album.places) - int(is_tested[album.places].sum())
    has_test = bool(is_tested.any())
    return Arrays(
        choose(album.images, slice(None, count)),
        labels[:count],
        choose(album.images, slice(count, None)) if has_test else None,
        labels[count:] if has_test else None,
        None,
        (*notes, *album.notes),
    )


def _rows(path: Path, label: str | None) -> Iterator[_Row]:
    lines = _lines(path)
    _, header = next(lines, (0, []))
    if not header:
        raise DataError(f"{path} is empty; fetch it again")
    path_at = _column(path, header, _PATHS, "paths")
    label_at = _column(path, header, (label,) if label else _LABELS, "labels")
    split_at = None
    if any(_bare(name) in _SPLITS for name in header):
        split_at = _column(path, header, _SPLITS, "parts")
    for number, fields in lines:
        if len(fields) != len(header):
            raise DataError(
                f"{path}, line {number}: it has {len(fields)} columns and the header"
                f" {len(header)}; mend the line, or put quotes around its texts"
            )
        name, text = fields[path_at], fields[label_at].strip()
        if not name or not text:
            column = header[path_at if not name else label_at]
            raise DataError(
                f"{path}, line {number}: the column {column} is empty; fill it or"
                " remove the line"
            )
        part = None
        if split_at is not None:
            part = part_of(fields[split_at].strip())
            if part is None:
                raise DataError(
                    f"{path}, line {number}: the column {header[split_at]} holds"
                    f" {fields[split_at]!r}; it must be one of"
                    f" {', '.join(sorted(SPELLINGS))}"
                )
        yield _Row(Picture(path.parent / name, f"{name} (line {number})"), text, part)


def _column(path: Path, header: list[str], names: Sequence[str], what: str) -> int:
    """Find the one column of such a name."""
    # A name that somebody gave is taken as it is written.
    found = [place for place, name in enumerate(header) if name in names] or [
        place for place, name in enumerate(header) if _bare(name) in names
    ]
    if len(found) == 1:
        return found[0]
    if found:
        raise DataError(
            f"{path} has the columns {header[found[0]]} and {header[found[1]]}, and one"
            f" column of {what} is wanted; rename the other"
        )
    raise DataError(
        f"{path} has no column of {what}: its header is {', '.join(header)}, and one of"
        f" these is wanted: {', '.join(names)}"
    )


def _bare(name: str) -> str:
    """Return a column's name in small letters alone: ``File_Name`` is ``filename``."""
    return re.sub(r"[^a-z0-9]", "", name.lower())


def _lines(path: Path) -> Iterator[tuple[int, list[str]]]:
    """Give the fields of each line that is not empty, with the line's number."""
    try:
        # Excel begins a file in UTF-8 with a mark.
        with path.open(encoding="utf-8-sig", newline="") as stream:
            first = stream.readline()
            delimiter = max(_DELIMITERS, key=first.count)
            stream.seek(0)
            reader = csv.reader(stream, delimiter=delimiter, strict=True)
            for fields in reader:
                if fields:
                    yield reader.line_num, fields
    except UnicodeDecodeError as ex:
        raise DataError(f"{path} is no text in UTF-8; save it so") from ex
    except csv.Error as ex:
        raise DataError(
            f"{path}, line {reader.line_num}: a quote does not end, or a field is too"
            " long; mend the line, or fetch the file again"
        ) from ex
    except OSError as ex:
        raise DataError(f"{path} cannot be read: {ex.strerror}") from ex
