"""One item's scores -> its labels, each with its probability."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from runtime.errors import BackendError, InvalidInput


@dataclass(frozen=True)
class Label:
    """One class, under TFaaS's key names.

    Attributes:
        label: its name; its index if the model has no labels.
        probability: a numpy scalar of the scores' dtype.
    """

    label: str
    probability: Any


def best_labels(
    scores: NDArray[Any], labels: tuple[str, ...], top: int, *, may_lack: bool = False
) -> list[Label]:
    """The classes with the highest scores, best first; of equal ones, the first.

    Args:
        scores: ``(num_classes,)``; one score of a model with two labels is that of the
            second, and the first has the rest to 1.
        labels: the model's; empty if it has none.
        top: how many; fewer if the model has fewer.
        may_lack: there may be fewer labels than classes; those without one are left
            out, as TFaaS leaves them.

    Raises:
        InvalidInput: the model answers an item with something else than its scores.
        BackendError: there are more labels than scores; or fewer, and they may not
            lack.
    """
    if scores.shape == (1,) and len(labels) == 2:
        scores = np.concatenate([1 - scores, scores])
    named = name_scores(scores, labels, may_lack=may_lack)
    if labels:
        named = named[: len(labels)]
    # A reversed sort keeps the order of equals.
    return sorted(named, key=lambda label: label.probability, reverse=True)[:top]


def name_scores(
    scores: NDArray[Any], labels: tuple[str, ...], *, may_lack: bool = False
) -> list[Label]:
    """Each score under its label, in their order; under its index if it has none.

    Raises:
        InvalidInput, BackendError: see ``best_labels``.
    """
    if scores.ndim != 1 or scores.dtype.kind not in "fiub":
        raise InvalidInput(
            "the model answers no scores of classes, which labels could have; ask"
            " without labels"
        )
    names = labels
    if len(scores) == 1 and len(names) == 2:
        names = names[1:]
    if may_lack or not labels:
        names += tuple(map(str, range(len(names), len(scores))))
    if len(scores) != len(names):
        raise BackendError(
            f"the model answered {len(scores)} scores and has {len(names)} labels"
        )
    return [Label(name, score) for name, score in zip(names, scores, strict=True)]
