"""The measures of a regression: the errors of its numbers."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

BINS = 40
# So many points show the relation, and keep metrics.json small.
POINTS = 1000


@dataclass(frozen=True)
class Regression:
    """The errors of the test rows.

    Attributes:
        rmse: the root of the mean squared error.
        mae: the mean absolute error.
        r2: the share of the labels' variance that the model explains; 1 is perfect, 0
            is the mean for every row. None if the labels have no variance.
        residual_edges: ``BINS + 1`` bounds of predicted less true numbers; they leave
            out the farthest hundredth.
        residual_shares: the shares of rows in each bin.
        true: the true numbers of at most ``POINTS`` rows, evenly chosen.
        predicted: the model's numbers of the same rows.
    """

    rmse: float
    mae: float
    r2: float | None
    residual_edges: tuple[float, ...]
    residual_shares: tuple[float, ...]
    true: tuple[float, ...]
    predicted: tuple[float, ...]


def regression(
    true: NDArray[np.float32],
    predicted: NDArray[np.float32],
    weights: NDArray[np.float32] | None,
) -> Regression:
    """Measure numbers.

    Args:
        true: ``(N,)`` the labels.
        predicted: ``(N,)`` the model's answers.
        weights: ``(N,)`` the rows' weights; None weighs alike.
    """
    wide = true.astype(np.float64)
    residuals = predicted.astype(np.float64) - wide
    weighed = None if weights is None else weights.astype(np.float64)
    squared = float(np.average(residuals**2, weights=weighed))
    mean = np.average(wide, weights=weighed)
    variance = float(np.average((wide - mean) ** 2, weights=weighed))
    finite = residuals[np.isfinite(residuals)]
    low, high = np.quantile(finite, (0.005, 0.995)) if len(finite) else (0.0, 0.0)
    counts, edges = np.histogram(finite, BINS, (low, high) if low < high else None)
    chosen = np.unique(np.linspace(0, len(wide) - 1, POINTS).astype(int))
    return Regression(
        rmse=float(np.sqrt(max(squared, 0.0))) if squared == squared else squared,
        mae=float(np.average(np.abs(residuals), weights=weighed)),
        r2=1 - squared / variance if variance > 0 else None,
        residual_edges=tuple(edges.tolist()),
        residual_shares=tuple((counts / max(1, counts.sum())).tolist()),
        true=tuple(wide[chosen].tolist()),
        predicted=tuple(predicted[chosen].astype(np.float64).tolist()),
    )
