"""A model's answer, with the version and the engine that gave it.

Both are tuples: a frozen dataclass takes five times as long to make, on each request.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple, TypeAlias

from numpy.typing import NDArray


class Scores(NamedTuple):
    """The model's main output for each item.

    Attributes:
        backend: the engine that answered, as ``engine/device``.
        version: the model's version in the store.
        scores: ``(N, num_classes)`` of the output's dtype, with the classes in the
            order of the labels; or ``(N, …)``, if the model answers something else. A
            list of N arrays if the items took several runs.
        labels: the model's labels; empty if it has none.
        answers_labels: whether images are answered with the best labels by default. The
            labels may then be fewer than the classes.
    """

    backend: str
    version: int | None
    scores: NDArray[Any] | list[NDArray[Any]]
    labels: tuple[str, ...]
    answers_labels: bool


class Outputs(NamedTuple):
    """All outputs of one run, by name.

    Attributes:
        backend: the engine that answered, as ``engine/device``.
        version: the model's version in the store.
        outputs: an array of any shape and dtype for each output, by its name.
        main: the name of the main output, to whose classes the labels belong.
        labels: the model's labels; empty if it has none.
    """

    backend: str
    version: int | None
    outputs: Mapping[str, NDArray[Any]]
    main: str
    labels: tuple[str, ...]


Answer: TypeAlias = Scores | Outputs
