"""The simple figures of images and answers that metrics.json has as distributions.

The trainer counts a test set by them, and the service its requests.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray


def image_figures(images: NDArray[Any]) -> dict[str, NDArray[np.float64]]:
    """Return simple figures of each image's pixels.

    Args:
        images: ``(N, …)`` of any dtype of numbers, 0..255, as the model takes them.

    Returns:
        ``(N,)`` float64 for each: ``mean`` and ``spread`` (the standard deviation) of
        the pixels, 0..255, and ``clipped``, the share of pixels that are 0 or 255.
    """
    rows = images.reshape(len(images), -1)
    return {
        "mean": rows.mean(axis=1, dtype=np.float64),
        "spread": rows.std(axis=1, dtype=np.float64),
        "clipped": ((rows == 0) | (rows == 255)).mean(axis=1),
    }


def confidence_of(scores: NDArray[Any]) -> NDArray[np.float64]:
    """Return the score of each row's best class, 0..1, as ``(N,)`` float64.

    Args:
        scores: ``(N, classes)`` of a float dtype.
    """
    # Scores may exceed one by float32's rounding.
    best: NDArray[np.float64] = scores.max(axis=1).astype(np.float64)
    return best.clip(0, 1)


def count_in_bins(
    values: NDArray[np.float64], edges: NDArray[np.float64]
) -> NDArray[np.intp]:
    """Count values in bins.

    Args:
        values: ``(N,)``.
        edges: the rising bounds between the bins; a bin holds its lower edge.

    Returns:
        ``(len(edges) + 1,)`` numbers.
    """
    places = np.searchsorted(edges, values, side="right")
    counts: NDArray[np.intp] = np.bincount(places, minlength=len(edges) + 1)
    return counts
