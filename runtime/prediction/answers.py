"""What a model answered, and which version and engine did.

Tuples: a frozen dataclass takes five times as long to make, on every request.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple, TypeAlias

from numpy.typing import NDArray


class Scores(NamedTuple):
    """What the model's main output says of each item.

    Attributes:
        backend: who answered: ``engine/device``.
        version: the model's version in the store.
        scores: ``(N, num_classes)``, the classes in the order of the labels, or
            ``(N, …)`` of a model that answers otherwise; N arrays if they come of
            several runs.
        labels: the model's; empty if it has none.
        answers_labels: images are answered with the best labels if nobody says else;
            the labels may be fewer than the classes.
    """

    backend: str
    version: int | None
    scores: NDArray[Any] | list[NDArray[Any]]
    labels: tuple[str, ...]
    answers_labels: bool


class Outputs(NamedTuple):
    """All outputs of one run, by name.

    Attributes:
        backend: who answered: ``engine/device``.
        version: the model's version in the store.
        outputs: by their names.
    """

    backend: str
    version: int | None
    outputs: Mapping[str, NDArray[Any]]


Answer: TypeAlias = Scores | Outputs
