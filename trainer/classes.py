"""Conversion of labels, as people write them, into class numbers."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trainer.errors import DataError

# No data set has so many classes, so a larger number is damaged or is no label.
_MAX_NUMBER = 1 << 31


def class_numbers(
    labels: NDArray[Any], what: str, known: tuple[str, ...] | None = None
) -> tuple[NDArray[np.int64], tuple[str, ...] | None]:
    """Convert labels to class numbers from 0 on.

    Args:
        labels: ``(N,)`` or ``(N, 1)`` whole numbers in any dtype, or texts; or
            ``(N, K)`` one-hot rows in any dtype, with one 1 and else 0.
        what: the name of the labels in an error's sentence.
        known: the classes of the training part, if the labels are texts or one-hot rows
            of another part.

    Returns:
        The class numbers, ``(N,)`` int64, and the names of the classes. The names are
        the sorted texts (numbers sorted by their value), or the column numbers of
        one-hot rows; None for whole numbers.

    Raises:
        DataError: the labels have another form.
    """
    # CIFAR-10 of Keras and MedMNIST have labels of the shape (N, 1).
    if labels.ndim > 1 and math.prod(labels.shape[1:]) == 1:
        labels = labels.reshape(len(labels))
    if labels.dtype.kind in "US" and labels.ndim == 1:
        return _from_texts(labels, what, known)
    if labels.dtype.kind not in "buif":
        raise DataError(
            f"{what} are {labels.dtype} of the shape {labels.shape}; they must be whole"
            " numbers from 0 on, or names, one for each image"
        )
    if labels.ndim == 2:
        return _from_rows(labels, what, known)
    if labels.ndim != 1:
        raise DataError(
            f"{what} have the shape {labels.shape}; it must be (N,), a class number"
            " for each image"
        )
    # The test is for right values and then negated, because every comparison with NaN
    # is false.
    values = labels.astype(np.float64)
    wrong = ~((values >= 0) & (values < _MAX_NUMBER) & (values == np.floor(values)))
    if wrong.any():
        raise DataError(
            f"{what} must be whole numbers from 0 on, and one is"
            f" {labels[wrong][0]}; number the classes 0, 1, 2 and on"
        )
    return labels.astype(np.int64), None


def _from_rows(
    rows: NDArray[Any], what: str, known: tuple[str, ...] | None
) -> tuple[NDArray[np.int64], tuple[str, ...]]:
    one_hot = ((rows == 0) | (rows == 1)).all() and (rows.sum(axis=1) == 1).all()
    if not one_hot:
        raise DataError(
            f"{what} have the shape {rows.shape}, and are not one-hot rows of a single"
            " 1; give (N,), a class number for each image"
        )
    count = rows.shape[1]
    if known is not None and len(known) != count:
        raise DataError(
            f"{what} are one-hot rows of {count} classes and training has {len(known)};"
            " the numbers must be equal"
        )
    return rows.argmax(axis=1).astype(np.int64), tuple(map(str, range(count)))


def _from_texts(
    texts: NDArray[Any], what: str, known: tuple[str, ...] | None
) -> tuple[NDArray[np.int64], tuple[str, ...]]:
    try:
        decoded = np.char.decode(texts, "utf-8") if texts.dtype.kind == "S" else texts
    except UnicodeDecodeError as ex:
        raise DataError(f"{what} are bytes that are no text in UTF-8") from ex
    found = [str(name) for name in np.unique(decoded)]
    for name in found:
        # labels.txt holds one label on each line.
        if not name.strip() or "\n" in name or "\r" in name:
            raise DataError(f"{what} have {name!r}, which cannot be a label; rename it")
    names = known or ordered(found)
    if unknown := sorted(set(found).difference(names)):
        raise DataError(
            f"{what} have {unknown[0]!r}, which is no training label; remove it or add"
            " the class"
        )
    number = {name: place for place, name in enumerate(names)}
    return np.array([number[str(name)] for name in decoded], np.int64), names


def ordered(names: list[str]) -> tuple[str, ...]:
    """Sort class names; names that are numbers by their value, so 10 follows 9."""
    if all(name.isascii() and name.isdigit() for name in names):
        return tuple(sorted(names, key=int))
    return tuple(sorted(names))
