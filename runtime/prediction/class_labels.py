"""From one item's scores to its labels, each with its probability."""

from __future__ import annotations

from typing import Any, TypedDict

import numpy as np
from numpy.typing import NDArray

from runtime.errors import BackendError, InvalidInput


class Label(TypedDict):
    """One class, under TFaaS's key names.

    Attributes:
        label: the class's name, or its index if the model has no labels.
        probability: a numpy scalar of the scores' dtype.
    """

    label: str
    probability: Any


def best_labels(
    scores: NDArray[Any], labels: tuple[str, ...], top: int, *, may_lack: bool = False
) -> list[Label]:
    """Return the classes with the highest scores, best first.

    Among equal scores the first class comes first.

    Args:
        scores: ``(num_classes,)``, floats, integers or bools. A single score of a model
            with two labels belongs to the second; the first has 1 minus that.
        labels: the model's labels; empty if it has none.
        top: the number of classes; the model may have fewer.
        may_lack: whether there may be fewer labels than classes. Classes without a
            label are left out then, like on TFaaS.

    Raises:
        InvalidInput: the model answers an item with something else than its scores.
        BackendError: there are more labels than scores; or fewer, and they may not
            lack.
    """
    if scores.shape == (1,) and len(labels) == 2:
        scores = np.concatenate([1 - scores, scores])
    names = _names(scores, labels, may_lack=may_lack)
    if labels:
        scores = scores[: len(labels)]
    return [
        {"label": names[n] if names else str(n), "probability": scores[n]}
        for n in best_first(scores, top)
    ]


def best_first(scores: NDArray[Any], top: int) -> list[int]:
    """Return the places of the highest of ``(n,)`` scores; of equal ones the first.

    Args:
        scores: ``(n,)`` floats, integers or bools.
        top: the number of places; there may be fewer scores.
    """
    # Read backwards, the sorted classes have the best one first. Because they were
    # sorted backwards, too, the first one of equal scores comes first.
    order = len(scores) - 1 - np.argsort(scores[::-1], kind="stable")[::-1][:top]
    places: list[int] = order.tolist()
    return places


def name_scores(
    scores: NDArray[Any], labels: tuple[str, ...], *, may_lack: bool = False
) -> list[Label]:
    """Name each score by its label, or by its index if it has none.

    Args:
        scores: ``(num_classes,)``, floats, integers or bools.
        labels: the model's labels; empty if it has none.
        may_lack: whether there may be fewer labels than classes.

    Returns:
        The named scores, in the order of the classes.

    Raises:
        InvalidInput, BackendError: see ``best_labels``.
    """
    names = _names(scores, labels, may_lack=may_lack)
    names += tuple(map(str, range(len(names), len(scores))))
    return [
        {"label": name, "probability": score}
        for name, score in zip(names, scores, strict=True)
    ]


def _names(
    scores: NDArray[Any], labels: tuple[str, ...], *, may_lack: bool
) -> tuple[str, ...]:
    """Return the names of the first classes; the others have none."""
    if scores.ndim != 1 or scores.dtype.kind not in "fiub":
        raise InvalidInput(
            "the model answers no scores of classes, so there are no labels; ask"
            " without labels"
        )
    names = labels
    if len(scores) == 1 and len(names) == 2:
        names = names[1:]
    if len(scores) < len(names) or (
        len(scores) > len(names) and names and not may_lack
    ):
        raise BackendError(
            f"the model answered {len(scores)} scores and has {len(names)} labels"
        )
    return names
