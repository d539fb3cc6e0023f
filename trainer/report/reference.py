"""The distributions on the test set with which later requests may be compared.

A service that counts its requests in the same bins can tell whether the pictures that
come are still like those on which the model was measured.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bundle.figures import count_in_bins, image_figures
from trainer.images import Images, pieces

# Most scores of a good model lie near one, so the bins are narrow there.
CONFIDENCE_EDGES = (0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.99, 0.999)
# Ten bins, each with a tenth of the test images, are usual for such comparisons.
BINS = 10


@dataclass(frozen=True)
class Distribution:
    """The numbers of test images in bins of some figure.

    Attributes:
        edges: the bounds between the bins, rising. The first bin holds all below the
            first edge. Each other bin holds its lower edge, and the last one all above.
        counts: the number of images in each of the ``len(edges) + 1`` bins.
        mean: the mean of the figure over all test images.
    """

    edges: tuple[float, ...]
    counts: tuple[int, ...]
    mean: float


def confidence_distribution(confidence: NDArray[np.float64]) -> Distribution:
    """Count test images by the score of the model's class, in fixed bins.

    Args:
        confidence: ``(N,)`` float64, 0..1.
    """
    return _counted(confidence, np.array(CONFIDENCE_EDGES))


def input_distributions(images: Images) -> dict[str, Distribution]:
    """Count test images by simple figures of their pixels.

    Args:
        images: ``(N, H, W, C)`` uint8, as the model takes them.

    Returns:
        ``mean`` and ``spread`` (the standard deviation) of an image's pixels, 0..255,
        and ``clipped``, the share of its pixels that are 0 or 255. The edges divide the
        test images into ``BINS`` bins of one size, or fewer where many are equal.
    """
    # A piece becomes float64, which takes eight times its memory.
    parts = [image_figures(piece) for piece in pieces(images)]
    return {
        name: _counted_in_quantiles(np.concatenate([part[name] for part in parts]))
        for name in parts[0]
    }


def _counted_in_quantiles(values: NDArray[np.float64]) -> Distribution:
    quantiles = np.quantile(values, np.arange(1, BINS) / BINS)
    # A bin below the smallest value would be empty for ever.
    edges = np.unique(quantiles[quantiles > values.min()])
    return _counted(values, edges)


def _counted(values: NDArray[np.float64], edges: NDArray[np.float64]) -> Distribution:
    counts = count_in_bins(values, edges)
    return Distribution(
        edges=tuple(edges.tolist()),
        counts=tuple(counts.tolist()),
        mean=float(values.mean()),
    )
