"""The labels of a table: classes with their names, or numbers to predict."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trainer.classes import ordered
from trainer.errors import DataError
from trainer.samples import Task

# So many different whole numbers are taken for classes, and more for quantities.
FEW_NUMBERS = 20
# The squares of errors stay within the range of float32, even of errors that are some
# hundred times as large or as small.
_LEAST_SPREAD, _GREATEST_SPREAD = 1e-16, 1e16


@dataclass(frozen=True)
class Target:
    """The labels of all rows.

    Attributes:
        task: whether they are classes or numbers.
        labels: the names of the classes; empty for a regression.
        y: ``(N,)`` int64 class numbers, or ``(N,)`` float32.
        note: a sentence that tells what was taken.
    """

    task: Task
    labels: tuple[str, ...]
    y: NDArray[Any]
    note: str


def target_of(
    values: NDArray[Any], is_train: NDArray[np.bool_], task: Task | None, what: str
) -> Target:
    """Find out what the labels are.

    Args:
        values: ``(N,)`` float64 without NaN, or objects that are texts without "".
        is_train: ``(N,)`` bool; the classes are those of these rows.
        task: the task, if a person named it.
        what: the name of the labels in a sentence.

    Raises:
        DataError: the labels do not fit the task, or a class is missing in training.
    """
    is_text = values.dtype == object
    found = np.unique(values[is_train])
    whole = not is_text and bool((values == np.floor(values)).all())
    if task is None:
        few = is_text or (whole and len(found) <= FEW_NUMBERS)
        task = "classes" if few else "regression"
    if task == "regression":
        y: NDArray[Any] = quantities(values, what)
        spread = float(y[is_train].std(dtype=np.float64))
        if not spread:
            raise DataError(f"{what} are all equal; there is nothing to predict")
        if not _LEAST_SPREAD < spread < _GREATEST_SPREAD:
            raise DataError(
                f"{what} have a standard deviation of {spread:.3g}, whose square"
                " float32 cannot hold; give the labels in another unit"
            )
        note = f"{what} are taken as numbers, for a regression (--task)"
        return Target(task, (), y, note)
    names = [label_name(value) for value in found.tolist()]
    order = ordered(names) if is_text else tuple(names)
    for name in order:
        # labels.txt holds one label on each line.
        if not name.strip() or "\n" in name or "\r" in name:
            raise DataError(f"{what} have {name!r}, which cannot be a label; rename it")
    if len(order) < 2:
        raise DataError(f"{what} are all {order[0]!r}; give at least two classes")
    if len(order) > len(values) / 2:
        raise DataError(
            f"{what} have {len(order)} classes in {len(values)} rows; give at least two"
            " rows a class, or --task regression"
        )
    y = class_numbers(values, order, what)
    note = f"{what} are taken as {len(order)} classes (--task)"
    return Target(task, order, y, note)


def quantities(values: NDArray[Any], what: str) -> NDArray[np.float32]:
    """Return the labels of a regression as ``(N,)`` float32.

    Raises:
        DataError: they are texts, or too large.
    """
    if values.dtype == object:
        raise DataError(f"{what} are texts; --task regression needs numbers")
    with np.errstate(over="ignore"):
        y: NDArray[np.float32] = values.astype(np.float32)
    if not np.isfinite(y).all():
        raise DataError(f"{what} have a number too large for float32; scale them")
    return y


def class_numbers(
    values: NDArray[Any], labels: tuple[str, ...], what: str
) -> NDArray[np.int64]:
    """Return the class number of each label.

    Raises:
        DataError: a label is no class of the training rows.
    """
    found, places = np.unique(values, return_inverse=True)
    numbers = []
    for value in found.tolist():
        if (name := label_name(value)) not in labels:
            raise DataError(
                f"{what} have {name!r}, which is no class of the training rows; remove"
                " it or add rows of this class"
            )
        numbers.append(labels.index(name))
    return np.array(numbers, np.int64)[places]


def label_name(value: object) -> str:
    """Return the name of a class: a text as it is, 1.0 as 1."""
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value)
