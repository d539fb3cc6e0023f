"""The extension ``classification``: the best classes in place of an output."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from runtime.errors import InvalidInput
from runtime.prediction.class_labels import best_first

# Triton answers no more elements, either.
MOST_ELEMENTS = 1_000_000


def best_classes(
    name: str, output: NDArray[Any], classes: int, labels: tuple[str, ...]
) -> NDArray[Any]:
    """Return the classes with the highest values of each item, best first.

    Among equal values the first class comes first.

    Args:
        name: the output's name, for an error.
        output: ``(N, …)``; the other axes are read as one row of classes.
        classes: the number of classes of each item; an item may have fewer.
        labels: the labels of the first classes; empty if it has none. A single value of
            two labels belongs to the second.

    Returns:
        An array ``(N, classes)`` with objects of ``str``: the value, the number of the
        class and its label if it has one, as ``0.75:2:cat``.

    Raises:
        InvalidInput: the output holds no numbers, or there are too many elements.
    """
    if output.dtype.kind not in "fiu" or not output.ndim:
        raise InvalidInput(
            f"output {name!r} has no classes: 'classification' needs numbers and a"
            " batch axis"
        )
    rows = output.reshape(len(output), math.prod(output.shape[1:]))
    width = rows.shape[1]
    count = min(classes, width)
    if len(rows) * count > MOST_ELEMENTS:
        raise InvalidInput(
            f"output {name!r} would have {len(rows) * count} classes, more than"
            f" {MOST_ELEMENTS}; ask for fewer, or send fewer items"
        )
    if width == 1 and len(labels) == 2:
        labels = labels[1:]
    best = np.empty((len(rows), count), object)
    for place, row in enumerate(rows):
        for rank, index in enumerate(best_first(row, count)):
            text = f"{row[index]!s}:{index}"
            best[place, rank] = (
                f"{text}:{labels[index]}" if index < len(labels) else text
            )
    return best
