"""A table in a file, which is read piece by piece."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from trainer.errors import DataError
from trainer.formats.parts import Part

# So many values are read at a time, which take 8 MB as float64.
PIECE = 1 << 20

# The columns of some rows: ``(n,)`` numbers or bools of any dtype, or objects that are
# texts or None.
Piece = dict[str, NDArray[Any]]


@dataclass(frozen=True)
class Source:
    """One table of a file.

    Attributes:
        shown: the file, and where needed the table inside, for an error's sentence.
        names: the columns in the file's order; none is there twice.
        read: reads these columns piece by piece, and raises DataError. The second
            argument has the columns that may mix numbers and texts.
        part: the part of the data set that the file's name or the arrays' names tell.
        label: the column with the labels, where the format itself tells it.
        weight: the column with the weights, where the format itself tells it.
        notes: sentences about the file.
    """

    shown: str
    names: tuple[str, ...]
    read: Callable[[tuple[str, ...], frozenset[str]], Iterator[Piece]]
    part: Part | None = None
    label: str | None = None
    weight: str | None = None
    notes: tuple[str, ...] = ()


def rows_of(columns: int) -> int:
    """Return the number of rows that are read at a time."""
    return max(1, PIECE // max(1, columns))


def checked_names(names: list[str], shown: str) -> tuple[str, ...]:
    """Refuse a table that has two columns of one name, or none at all.

    Raises:
        DataError: see above.
    """
    if not names:
        raise DataError(f"{shown} has no columns; give a table with a header")
    for place, name in enumerate(names):
        if name in names[:place]:
            raise DataError(
                f"{shown} has two columns named {name!r}; rename or remove one of them"
            )
    return tuple(names)


def check_lengths(shown: str, shapes: dict[str, tuple[int, ...]]) -> None:
    """Check that arrays have the same number of rows.

    Raises:
        DataError: they have not.
    """
    first, *others = shapes
    for name in others:
        if shapes[name][:1] != shapes[first][:1]:
            raise DataError(
                f"{shown}: {name!r} has {shapes[name][0]} rows and {first!r} has"
                f" {shapes[first][0]}; the numbers must be equal"
            )


def check_package(name: str, path: Path) -> None:
    """Check, without an import, that the package which reads a file is installed.

    Raises:
        DataError: it is not.
    """
    if find_spec(name) is None:
        raise DataError(
            f"{path} needs the package {name}, which is not installed; install the"
            " extra 'data' (docs/installing.md)"
        )


def nested(shown: str, name: str, kind: str) -> DataError:
    """Return the error for a column with several values in each row."""
    return DataError(
        f"{shown}: each row of the column {name!r} holds {kind}; a model of tables"
        " takes one number or text a cell, so make columns of single values of it, or"
        " name the columns to take with --features"
    )


def no_column(shown: str, name: str, shape: tuple[int, ...] | None) -> DataError:
    """Return the error for an array that has not one value for each row."""
    return DataError(
        f"{shown}: the array {name!r} has the shape {shape or ()}, and a column has"
        " (N,); make columns of single values of it, or name the columns to take with"
        " --features"
    )
