"""From inputs and answers to counts in the bins of a reference."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bundle.figures import confidence_of, count_in_bins, image_figures
from runtime.watching.reference import OF_INPUT, Figure, Reference

# A pair of the inputs ``(n, …)``, or None if they are no pictures, and of the answers
# ``(n, …)`` to them.
Pair = tuple[NDArray[Any] | None, NDArray[Any]]


def count_answers(
    reference: Reference, answers: NDArray[Any]
) -> dict[Figure, NDArray[np.int64]]:
    """Count answers by their class and its score.

    Args:
        reference: the bins.
        answers: ``(n, classes)``; answers with NaN or infinity are not counted.

    Returns:
        A number for each bin, by figure; empty if the answers are no scores.
    """
    if (
        answers.ndim != 2
        or answers.shape[1] != len(reference.groups)
        or answers.dtype.kind != "f"
    ):
        return {}
    rows = answers[np.isfinite(answers).all(axis=1)]
    best = reference.groups[rows.argmax(axis=1)]
    return {
        "predicted": np.bincount(best, minlength=len(reference.counts["predicted"])),
        "confidence": count_in_bins(confidence_of(rows), reference.edges["confidence"]),
    }


def count_inputs(
    reference: Reference, images: NDArray[Any]
) -> dict[Figure, NDArray[np.int64]]:
    """Count images by the mean, spread and clipped share of their pixels.

    Args:
        reference: the bins.
        images: ``(n, …)`` of any dtype of numbers, 0..255.

    Returns:
        A number for each bin, by figure.
    """
    rows = images.reshape(len(images), -1)
    if rows.dtype.kind not in "fiu" or not rows.size:
        return {}
    rows = rows[np.isfinite(rows).all(axis=1)]
    if not len(rows):
        return {}
    with np.errstate(over="ignore", invalid="ignore"):  # of numbers that are no pixels
        found = image_figures(rows)
    return {
        figure: count_in_bins(found[figure], reference.edges[figure])
        for figure in OF_INPUT
    }


def count_all(
    reference: Reference, pairs: Iterable[Pair]
) -> dict[Figure, NDArray[np.int64]]:
    """Count the items of many requests; those of one shape are counted at once.

    Args:
        reference: the bins.
        pairs: the inputs and answers of each request.
    """
    images: dict[tuple[int, ...], list[NDArray[Any]]] = {}
    answers: dict[tuple[int, ...], list[NDArray[Any]]] = {}
    for theirs, rows in pairs:
        if theirs is not None:
            images.setdefault(theirs.shape[1:], []).append(theirs)
        answers.setdefault(rows.shape[1:], []).append(rows)
    total: dict[Figure, NDArray[np.int64]] = {}
    for count, arrays in ((count_inputs, images), (count_answers, answers)):
        for alike in arrays.values():
            for figure, counts in count(reference, np.concatenate(alike)).items():
                total[figure] = total.get(figure, 0) + counts
    return total
