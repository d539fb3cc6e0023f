"""The importance of features: the loss grows when one of them tells nothing."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trainer.samples import Columns
from trainer.tables.dataset import ROW, TableSet

# More rows would make the figures no better than the spread of the repetitions.
_ROWS = 5000
_REPEATS = 5
# A table of many features is measured on fewer rows, and once, or else it would take
# longer than the training. Fewer than some hundred rows would tell nothing.
_ANSWERS = 500_000
_LEAST_ROWS = 200
_MANY = 200
_LEAST = 1e-7


@dataclass(frozen=True)
class Importance:
    """The importance of one feature.

    Attributes:
        feature: its name.
        loss_increase: by how much the loss grows, as a mean of some repetitions.
        spread: their standard deviation; 0 if there are so many features that each is
            shuffled once.
    """

    feature: str
    loss_increase: float
    spread: float


def importances(
    ask: Callable[[Columns], NDArray[np.float64]], data: TableSet, seed: int
) -> tuple[Importance, ...]:
    """Shuffle one feature after another among the test rows, and measure the loss.

    Args:
        ask: gives the model's ``(N, K)`` answers to some inputs.
        data: the table; at most ``_ROWS`` of its test rows are taken, and fewer if it
            has many features.
        seed: chooses the rows and the shuffles.

    Returns:
        The features, the most important first.
    """
    generator = np.random.default_rng(seed)
    count = len(data.y_test)
    repeats = _REPEATS if len(data.features) <= _MANY else 1
    few = max(_LEAST_ROWS, _ANSWERS // (repeats * len(data.features)))
    rows = np.sort(generator.permutation(count)[: min(_ROWS, few)])
    inputs = {name: values[rows] for name, values in data.x_test.items()}
    weights = None if data.w_test is None else data.w_test[rows]
    y = data.y_test[rows]

    def loss(given: Columns) -> float:
        return loss_of(data, y, ask(given), weights)

    before = loss(inputs)
    found = []
    for place, feature in enumerate(data.features):
        increases = []
        for _ in range(repeats):
            order = generator.permutation(len(rows))
            increases.append(loss(_shuffled(inputs, place, feature, order)) - before)
        found.append(
            Importance(feature, float(np.mean(increases)), float(np.std(increases)))
        )
    return tuple(sorted(found, key=lambda one: -one.loss_increase))


def _shuffled(
    inputs: Columns, place: int, feature: str, order: NDArray[np.intp]
) -> Columns:
    if ROW not in inputs:
        return {**inputs, feature: inputs[feature][order]}
    row = inputs[ROW].copy()
    row[:, place] = row[order, place]
    return {ROW: row}


def loss_of(
    data: TableSet,
    y: NDArray[Any],
    answers: NDArray[np.float64],
    weights: NDArray[np.float32] | None,
) -> float:
    """Return the mean cross-entropy of ``(N, K)`` scores, or the mean squared error.

    The error of a regression is divided by the variance of the training labels, as in
    the training.
    """
    if data.task == "classes":
        right = answers[np.arange(len(y)), y]
        losses = -np.log(np.clip(right, _LEAST, 1))
    else:
        scale, _ = data.label_scale
        losses = ((answers[:, 0] - y) / scale) ** 2
    # The weights have a mean of 1, so nothing is divided by it: the mean of some rows
    # may be 0, because weights may be negative.
    return float(np.mean(losses if weights is None else losses * weights))
