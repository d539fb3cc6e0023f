"""The curve of true positives by false positives (ROC), and the area below it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

# So many points draw a smooth curve, and keep metrics.json small.
POINTS = 200


@dataclass(frozen=True)
class Roc:
    """The curve of one class against all others.

    Attributes:
        false_positives: the shares of the other rows with a score of at least a bound,
            rising from 0 to 1. With negative weights they need not rise.
        true_positives: the shares of the class's rows for the same bounds.
        auc: the area below the whole curve; 0.5 is chance, and 1 is perfect.
    """

    false_positives: tuple[float, ...]
    true_positives: tuple[float, ...]
    auc: float


def roc(
    is_positive: NDArray[np.bool_],
    scores: NDArray[Any],
    weights: NDArray[np.float32] | None = None,
) -> Roc | None:
    """Compute the curve of a score.

    Args:
        is_positive: ``(N,)`` bool, whether each row is of the class.
        scores: ``(N,)`` float, the score of the class.
        weights: ``(N,)`` float32, some of which may be negative; None weighs alike.

    Returns:
        The curve with at most ``POINTS`` points, and the area below all of its points.
        The area is the share of pairs, one of the class and one other, that the scores
        put into the right order; equal scores count half. None if the class or the
        others have no positive sum of weights, or a score is no number.
    """
    if not np.isfinite(scores).all():
        return None
    weighed = np.ones(len(scores)) if weights is None else weights.astype(np.float64)
    order = np.argsort(-scores, kind="stable")
    # The last row of each group of equal scores.
    ends = np.append(np.flatnonzero(np.diff(scores[order])), len(scores) - 1)
    positive = np.cumsum(np.where(is_positive, weighed, 0)[order])[ends]
    negative = np.cumsum(np.where(is_positive, 0, weighed)[order])[ends]
    if not (positive[-1] > 0 and negative[-1] > 0):
        return None
    true = np.concatenate([[0], positive / positive[-1]])
    false = np.concatenate([[0], negative / negative[-1]])
    shown = np.unique(np.linspace(0, len(true) - 1, POINTS).astype(int))
    return Roc(
        false_positives=tuple(false[shown].tolist()),
        true_positives=tuple(true[shown].tolist()),
        auc=float(np.trapezoid(true, false)),
    )
