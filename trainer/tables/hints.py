"""Notes about columns that are probably no features, though they can be learnt from."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trainer.tables.column import Column
from trainer.tables.target import Target

# A shorter table may be in order by chance.
_MIN_ROWS = 20
# Programs of particle physics write this for a quantity that an event does not have.
_NO_VALUE = -999.0


def hints(
    columns: Sequence[Column],
    features: dict[str, NDArray[Any]],
    target: Target,
    label: str,
) -> Iterator[str]:
    """Tell of copies of the label, numbers of rows, and columns that never change.

    Args:
        columns: the features.
        features: ``(N,)`` values of each, by the column's name.
        target: the labels of the same rows.
        label: the name of the label.
    """
    for column in columns:
        values = features[column.name]
        if _is_copy(values, target):
            yield (
                f"warning: the column {column.name!r} tells the label {label!r}"
                " exactly; if it is made of the label, leave it out by --features"
            )
        elif not column.is_text and _counts_rows(values):
            yield (
                f"the column {column.name!r} grows by 1 from row to row; if it is the"
                " row's number, leave it out by --features"
            )
        if not column.is_text:
            if column.least == column.greatest and not column.may_lack:
                yield f"the column {column.name!r} has one value in all training rows"
            if column.least == _NO_VALUE:
                yield (
                    f"the column {column.name!r} has {_NO_VALUE:g}; if that stands for"
                    " a missing value, leave these cells empty"
                )


def _is_copy(values: NDArray[Any], target: Target) -> bool:
    if target.task == "regression":
        return values.dtype != object and bool(np.array_equal(values, target.y))
    found, places = np.unique(values, return_inverse=True)
    if len(found) != len(np.unique(target.y)):
        return False
    pairs = np.unique(places * (int(target.y.max()) + 1) + target.y)
    return len(pairs) == len(found)


def _counts_rows(values: NDArray[Any]) -> bool:
    return len(values) >= _MIN_ROWS and bool((np.diff(values) == 1).all())
