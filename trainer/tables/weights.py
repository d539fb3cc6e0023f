"""The weights of a table's rows."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from trainer.errors import DataError


def training_weights(
    weights: NDArray[np.float32], what: str
) -> tuple[NDArray[np.float32], str | None]:
    """Bring the weights of training rows to a mean of 1.

    Events of negative weight, which generators of next-to-leading order make, would
    push the loss below every bound. They do not train, as with TMVA's option
    IgnoreNegWeightsInTraining; they count in all measures.

    Args:
        weights: ``(N,)`` float32 without NaN.
        what: the name of the weights in a sentence.

    Returns:
        ``(N,)`` float32 from 0 on, and a sentence if some were negative.

    Raises:
        DataError: no weight is above 0.
    """
    kept = np.maximum(weights, 0)
    negative = int((weights < 0).sum())
    note = (
        f"{negative} training rows have a negative weight: they do not train, and count"
        " in the measures"
        if negative
        else None
    )
    if not kept.any():
        raise DataError(f"{what} are above 0 in no training row; give some that are")
    return _of_mean_one(kept), note


def measuring_weights(weights: NDArray[np.float32], what: str) -> NDArray[np.float32]:
    """Bring the weights of test rows to a mean of 1; some may be negative.

    Raises:
        DataError: their sum is not above 0, so that no mean can be made.
    """
    if not (total := weights.sum(dtype=np.float64)) > 0:
        raise DataError(
            f"{what} sum up to {total:.3g} in the test rows, and must sum up to more"
            " than 0"
        )
    return _of_mean_one(weights)


def _of_mean_one(weights: NDArray[np.float32]) -> NDArray[np.float32]:
    mean = weights.mean(dtype=np.float64)
    scaled: NDArray[np.float32] = (weights / mean).astype(np.float32)
    return scaled
