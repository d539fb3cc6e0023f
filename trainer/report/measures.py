"""Measures of a classifier: confusion, precision, recall, calibration, mistakes."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

# Guo et al., "On Calibration of Modern Neural Networks" (2017), measure in 15 bins, and
# so do most who compare.
CALIBRATION_BINS = 15


@dataclass(frozen=True)
class ClassMeasures:
    """The measures of one class.

    Attributes:
        label: the class's name.
        images: the number of test images of this class.
        predicted: the number of test images that the model took for this class.
        precision: the share of ``predicted`` that is right; None if there is none.
        recall: the share of ``images`` that is found; None if there is none.
        f1: the harmonic mean of both; None if one of them is.
    """

    label: str
    images: int
    predicted: int
    precision: float | None
    recall: float | None
    f1: float | None


@dataclass(frozen=True)
class CalibrationBin:
    """The images whose confidence lies in ``(low, high]``.

    Attributes:
        low: the lower bound, 0..1.
        high: the upper bound.
        images: their number.
        confidence: their mean confidence; None if there is none.
        accuracy: the share of them that is classified right; None if there is none.
    """

    low: float
    high: float
    images: int
    confidence: float | None
    accuracy: float | None


@dataclass(frozen=True)
class Mistake:
    """One test image that the model takes for another class.

    Attributes:
        image: the image's place in the test set, from 0.
        true: the number of its class.
        predicted: the number of the model's class.
        confidence: the model's score for ``predicted``.
    """

    image: int
    true: int
    predicted: int
    confidence: float


def confusion_matrix(
    true: NDArray[np.int64], predicted: NDArray[np.int64], num_classes: int
) -> NDArray[np.int64]:
    """Count, for each true class, how often the model answered each class.

    Args:
        true: ``(N,)`` int64, the true class of each image.
        predicted: ``(N,)`` int64, the model's class of each image.
        num_classes: the number of classes.

    Returns:
        ``(num_classes, num_classes)`` int64; the row is the true class, and the column
        the model's class.
    """
    confusion = np.zeros((num_classes, num_classes), np.int64)
    np.add.at(confusion, (true, predicted), 1)
    return confusion


def class_measures(
    confusion: NDArray[np.int64], labels: tuple[str, ...]
) -> tuple[ClassMeasures, ...]:
    """Compute precision and recall of each class.

    Args:
        confusion: ``(C, C)`` int64; see ``confusion_matrix``.
        labels: the names of the C classes.
    """
    measures = []
    for number, label in enumerate(labels):
        right = int(confusion[number, number])
        images = int(confusion[number].sum())
        predicted = int(confusion[:, number].sum())
        precision = right / predicted if predicted else None
        recall = right / images if images else None
        f1 = None
        if precision is not None and recall is not None:
            f1 = 2 * right / (images + predicted)
        measures.append(ClassMeasures(label, images, predicted, precision, recall, f1))
    return tuple(measures)


def calibration(
    confidence: NDArray[np.float64], is_right: NDArray[np.bool_]
) -> tuple[CalibrationBin, ...]:
    """Compare confidence with accuracy in bins of equal width.

    Args:
        confidence: ``(N,)`` float64, the score of the model's class, 0..1.
        is_right: ``(N,)`` bool, whether that class is the true one.

    Returns:
        ``CALIBRATION_BINS`` bins from 0 to 1. A confidence of 0 lies in the first.
    """
    edges = np.linspace(0, 1, CALIBRATION_BINS + 1)
    places = np.clip(np.searchsorted(edges, confidence) - 1, 0, CALIBRATION_BINS - 1)
    bins = []
    for number in range(CALIBRATION_BINS):
        chosen = places == number
        count = int(chosen.sum())
        bins.append(
            CalibrationBin(
                low=float(edges[number]),
                high=float(edges[number + 1]),
                images=count,
                confidence=float(confidence[chosen].mean()) if count else None,
                accuracy=float(is_right[chosen].mean()) if count else None,
            )
        )
    return tuple(bins)


def expected_calibration_error(bins: tuple[CalibrationBin, ...]) -> float:
    """Return the mean of ``|accuracy - confidence|`` over the images of all bins."""
    total = sum(found.images for found in bins)
    return sum(
        found.images / total * abs(found.accuracy - found.confidence)
        for found in bins
        if found.accuracy is not None and found.confidence is not None
    )


def confident_mistakes(
    true: NDArray[np.int64], scores: NDArray[np.float32], count: int
) -> tuple[Mistake, ...]:
    """Find the mistakes of which the model is most sure, the surest first.

    Args:
        true: ``(N,)`` int64, the true class of each image.
        scores: ``(N, C)`` float32, the model's scores.
        count: return at most so many.
    """
    predicted = scores.argmax(axis=1)
    confidence = scores.max(axis=1)
    wrong = np.flatnonzero(predicted != true)
    # The sort is stable, so equal scores stay in the order of the images.
    surest = wrong[np.argsort(-confidence[wrong], kind="stable")][:count]
    return tuple(
        Mistake(int(n), int(true[n]), int(predicted[n]), float(confidence[n]))
        for n in surest
    )
