"""What a model answered, and which version and engine did."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from numpy.typing import NDArray


@dataclass(frozen=True)
class Answer:
    """Who answered.

    Attributes:
        backend: ``engine/device``.
        version: the model's version in the store.
    """

    backend: str
    version: int | None


@dataclass(frozen=True)
class Scores(Answer):
    """What the model's main output says of each item.

    Attributes:
        scores: ``(N, num_classes)``, the classes in the order of the labels, or
            ``(N, …)`` of a model that answers otherwise; N arrays if they come of
            several runs.
        labels: the model's; empty if it has none.
        answers_labels: images are answered with the best labels if nobody says else;
            the labels may be fewer than the classes.
    """

    scores: NDArray[Any] | list[NDArray[Any]]
    labels: tuple[str, ...]
    answers_labels: bool


@dataclass(frozen=True)
class Outputs(Answer):
    """All outputs of one run, by name."""

    outputs: Mapping[str, NDArray[Any]]
