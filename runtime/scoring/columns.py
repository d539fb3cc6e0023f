"""The columns of the output: the item, what is kept, the label, and the classes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from runtime.errors import BackendError
from runtime.scoring.chunks import Scored
from runtime.scoring.facts import Facts

ITEM, LABEL, VALUE = "item", "label", "value"


@dataclass(frozen=True)
class Columns:
    """The columns of a model's answers.

    Attributes:
        before: the names of the columns before the numbers: the item, what is kept, and
            the label, if there are classes. No two columns have the same name.
        labels: the name of each class that may be the best; empty for a model of one
            value, which has no classes.
        names: the names of the columns of numbers.
        is_pair: whether one score stands for two classes: it belongs to the second, and
            the first has 1 minus that.
    """

    before: tuple[str, ...]
    labels: tuple[str, ...]
    names: tuple[str, ...]
    is_pair: bool

    def numbers(self, scores: NDArray[Any]) -> NDArray[Any]:
        """Return ``(n, len(names))`` numbers for ``(n, K)`` scores of the model."""
        if self.is_pair:
            scores = np.concatenate([1 - scores, scores], axis=1)
        return np.ascontiguousarray(
            scores.astype(np.uint8) if scores.dtype.kind == "b" else scores
        )

    def texts(self, scored: Scored, numbers: NDArray[Any]) -> list[Sequence[Any]]:
        """Return the columns before the numbers.

        The label is the class with the highest score, and the first of equal ones.

        Args:
            scored: the items and their kept columns.
            numbers: the columns of numbers, ``(n, len(names))``.
        """
        before = [scored.items, *scored.kept]
        if self.labels:
            places = numbers[:, : len(self.labels)].argmax(axis=1).tolist()
            before.append([self.labels[place] for place in places])
        return before


def columns_of(facts: Facts, kept: tuple[str, ...], width: int) -> Columns:
    """Name the columns of a model that answers each item with ``width`` numbers.

    Raises:
        BackendError: the model has more labels than scores, or fewer where none may
            lack.
    """
    labels = facts.labels
    is_pair = width == 1 and len(labels) == 2
    if width == 1 and not labels:
        before = _distinct((ITEM, *kept))
        return Columns(before, (), _distinct((VALUE,), before), is_pair)
    count = 2 if is_pair else width
    if len(labels) > count or (labels and len(labels) < count and not facts.may_lack):
        raise BackendError(
            f"the model answered {width} scores and has {len(labels)} labels"
        )
    every = labels + tuple(map(str, range(len(labels), count)))
    before = _distinct((ITEM, *kept, LABEL))
    # Classes without a label are never the best, as in the service's answers.
    return Columns(before, labels or every, _distinct(every, before), is_pair)


def _distinct(names: tuple[str, ...], taken: tuple[str, ...] = ()) -> tuple[str, ...]:
    """Give names that are taken already a number, such as ``label_2``."""
    found = list(taken)
    for name in names:
        number, free = 1, name
        while free in found:
            number += 1
            free = f"{name}_{number}"
        found.append(free)
    return tuple(found[len(taken) :])
