"""The distributions of scores, of the training rows beside those of the test rows.

Physicists lay the two over each other: where they differ, the model has learned its
training rows by heart.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

BINS = 25

Weights = NDArray[np.float32] | None


@dataclass(frozen=True)
class Scores:
    """The shares of rows by the score of one class.

    Attributes:
        label: the class whose score it is.
        edges: ``BINS + 1`` bounds from 0 to 1.
        train: the shares in each bin of the training rows of the class.
        train_others: the shares of all other training rows.
        test: the shares of the test rows of the class.
        test_others: the shares of all other test rows.
    """

    label: str
    edges: tuple[float, ...]
    train: tuple[float, ...]
    train_others: tuple[float, ...]
    test: tuple[float, ...]
    test_others: tuple[float, ...]


def scores_of(
    label: str,
    train: tuple[NDArray[Any], NDArray[np.bool_], Weights],
    test: tuple[NDArray[Any], NDArray[np.bool_], Weights],
) -> Scores:
    """Count rows by their score.

    Args:
        label: the class.
        train: the scores ``(N,)`` of training rows, whether each is of the class, and
            their weights.
        test: the same of test rows.
    """
    edges = np.linspace(0, 1, BINS + 1)

    def shares(
        of: tuple[NDArray[Any], NDArray[np.bool_], Weights], *, others: bool
    ) -> tuple[float, ...]:
        scores, is_class, weights = of
        chosen = ~is_class if others else is_class
        counts, _ = np.histogram(
            scores[chosen].clip(0, 1),
            edges,
            weights=None if weights is None else weights[chosen].astype(np.float64),
        )
        total = counts.sum()
        return tuple((counts / total if total > 0 else counts * 0.0).tolist())

    return Scores(
        label,
        tuple(edges.tolist()),
        train=shares(train, others=False),
        train_others=shares(train, others=True),
        test=shares(test, others=False),
        test_others=shares(test, others=True),
    )
