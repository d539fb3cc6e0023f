"""The few things that the training loop asks of a data set, of images or of a table."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from trainer.images import Images

Task = Literal["classes", "regression"]
# The columns of a table, one for each input of the model.
Columns = Mapping[str, NDArray[Any]]


class Samples(Protocol):
    """A training part and a test part; see ``DataSet`` and ``TableSet``."""

    @property
    def task(self) -> Task:
        """Whether the answers are classes or numbers."""

    @property
    def x_train(self) -> Images | Columns:
        """The images, or the columns of the table."""

    @property
    def y_train(self) -> NDArray[Any]:
        """``(N,)`` int64 class numbers, or ``(N,)`` float32 of a regression."""

    @property
    def w_train(self) -> NDArray[np.float32] | None:
        """``(N,)`` float32, the weights of the rows; None if all weigh alike."""

    @property
    def x_test(self) -> Images | Columns:
        """See ``x_train``."""

    @property
    def y_test(self) -> NDArray[Any]:
        """See ``y_train``."""

    @property
    def w_test(self) -> NDArray[np.float32] | None:
        """See ``w_train``."""

    @property
    def labels(self) -> tuple[str, ...]:
        """The class names; empty for a regression."""


def outputs_of(data: Samples) -> int:
    """Return the number of scores that a model of these data gives."""
    return len(data.labels) if data.task == "classes" else 1


def input_shape_of(data: Samples) -> tuple[int, ...]:
    """Return the shape of one image, or of one row of a table with one input.

    A table with several inputs has none, so the answer is empty then.
    """
    if not isinstance(data.x_train, Mapping):
        return tuple(data.x_train.shape[1:])
    columns = list(data.x_train.values())
    return tuple(columns[0].shape[1:]) if len(columns) == 1 else ()
