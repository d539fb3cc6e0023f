"""One feature of a table, as the network must know it."""

from __future__ import annotations

import keyword
import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trainer.errors import DataError

# TensorFlow and numpy's writer make parameters of Python functions of the names, and
# have these of their own. The input of a table of numbers is named "row".
_RESERVED = ("self", "file", "allow_pickle", "row")
# Keras gives these names, and such with a number, to the layers and operations of
# ``network.py``, and refuses a model that has a name twice.
_LAYERS = re.compile(
    r"(arcsinh|cast|concatenate|dense|dropout|embedding|equal|get_item|isnan|rescaling"
    r"|squeeze|string_lookup|take|where)(_\d+)?"
)
# A category of fewer rows teaches nothing; it is taken for an unknown one.
MIN_ROWS = 2
# Beyond this, a text column whose values differ in most rows is a name of the row.
_FEW_TEXTS = 20
# Numbers nearer to each other are taken for one value, because 1 divided by their
# spread would overflow float32.
_LEAST_SPREAD = 1e-37
# A numeric category is a unit of the network, so there cannot be any number of them.
_MAX_CATEGORIES = 1000


@dataclass(frozen=True)
class Column:
    """One feature, with what its training rows tell.

    Attributes:
        name: the name in the file.
        input_name: a name that TensorFlow and Keras take for an input.
        is_text: whether it holds texts.
        categories: the texts of a text column, or the numbers of a categorical one;
            None for a column of plain numbers.
        middle: the median of the numbers, which stands for a missing one.
        spread: their standard deviation, above 0.
        least: the least number; 0 for texts.
        greatest: the greatest number.
        may_lack: whether some training rows have no value.
    """

    name: str
    input_name: str
    is_text: bool
    categories: tuple[str, ...] | tuple[float, ...] | None = None
    middle: float = 0.0
    spread: float = 1.0
    least: float = 0.0
    greatest: float = 0.0
    may_lack: bool = False


def describe(
    name: str, input_name: str, values: NDArray[Any], is_categorical: bool, shown: str
) -> Column:
    """Describe a feature by its training rows.

    Args:
        name: the column's name.
        input_name: the name of its input.
        values: ``(N,)`` float32 with NaN, or objects that are ``str`` with "".
        is_categorical: the numbers are names of categories.
        shown: the table, for an error's sentence.

    Raises:
        DataError: the column has no values, or too many categories.
    """
    if values.dtype == object:
        return _of_texts(name, input_name, values, shown)
    filled = values[~np.isnan(values)]
    if not len(filled):
        raise DataError(
            f"{shown}: the column {name!r} has no value in any training row; leave it"
            " out by --features"
        )
    categories: tuple[float, ...] | None = None
    if is_categorical:
        found, counts = np.unique(filled, return_counts=True)
        if len(found) > _MAX_CATEGORIES:
            raise DataError(
                f"{shown}: the column {name!r} has {len(found)} different numbers, too"
                f" many for --categorical, which takes {_MAX_CATEGORIES}"
            )
        categories = tuple(found[counts >= MIN_ROWS].tolist()) or tuple(found.tolist())
    wide = filled.astype(np.float64)
    spread = float(wide.std())
    return Column(
        name,
        input_name,
        is_text=False,
        categories=categories,
        middle=float(np.median(wide)),
        spread=spread if spread > _LEAST_SPREAD else 1.0,
        least=float(wide.min()),
        greatest=float(wide.max()),
        may_lack=len(filled) < len(values),
    )


def _of_texts(name: str, input_name: str, values: NDArray[Any], shown: str) -> Column:
    found, counts = np.unique(values, return_counts=True)
    if len(found) > max(_FEW_TEXTS, len(values) / 2):
        raise DataError(
            f"{shown}: the column {name!r} has {len(found)} different texts in"
            f" {len(values)} rows, so it names the rows and describes none; leave it"
            " out by --features"
        )
    # "" stays, so that a missing text is told from an unknown one.
    kept = tuple(
        str(text)
        for text, count in zip(found, counts, strict=True)
        if count >= MIN_ROWS or not text
    ) or tuple(map(str, found))
    return Column(
        name,
        input_name,
        is_text=True,
        categories=kept,
        may_lack=bool((values == "").any()),
    )


def input_names(names: Iterable[str]) -> tuple[str, ...]:
    """Make a name of each column that TensorFlow takes for an input.

    Args:
        names: the columns' names: any texts, none twice.

    Returns:
        Letters, digits and ``_``, a letter first; none twice.
    """
    given: list[str] = []
    for name in names:
        made = re.sub(r"[^A-Za-z0-9_]", "_", name)
        is_word = re.match(r"[A-Za-z]", made) and not keyword.iskeyword(made)
        if not is_word or made in _RESERVED or _LAYERS.fullmatch(made):
            made = f"f_{made}"
        number, free = 2, made
        while free.lower() in (other.lower() for other in given):
            free, number = f"{made}_{number}", number + 1
        given.append(free)
    return tuple(given)
