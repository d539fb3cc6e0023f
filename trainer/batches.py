"""The batches of an epoch, in an order that the seed and the epoch's number decide.

Keras's own shuffling depends on what happened before, so a training that was resumed
would see another order.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from trainer.augmentation import Augment
from trainer.images import Images
from trainer.samples import Columns


class Batches(keras.utils.PyDataset):
    """Some rows of a data set in batches, for ``fit``, ``evaluate`` and ``predict``.

    Give ``shuffle=False`` to ``fit``, because it would shuffle the batches once more.

    Args:
        x: images, or the columns of a table, one for each input of the model.
        y: ``(N,)`` int64 class numbers; or ``(N,)`` float32 of a regression.
        weights: ``(N,)`` float32, the weights of the rows; None if all weigh alike.
        rows: ``(M,)`` int64, the numbers of the rows to give.
        batch_size: the number of rows in a batch; the last one may have fewer.
        num_classes: the length of the one-hot rows that class numbers become; None
            leaves ``y`` as it is.
        seed: give the rows in another order in each epoch; None keeps their order.
        augment: changes the images ``(B, H, W, C)`` of a batch by chance.
    """

    def __init__(
        self,
        x: Images | Columns,
        y: NDArray[Any],
        weights: NDArray[np.float32] | None,
        rows: NDArray[np.int64],
        *,
        batch_size: int,
        num_classes: int | None,
        seed: int | None = None,
        augment: Augment | None = None,
    ) -> None:
        super().__init__()
        self._x = x
        self._y = y
        self._weights = weights
        self._rows = rows
        self._batch_size = batch_size
        self._num_classes = num_classes
        self._seed = seed
        self._augment = augment
        self._epoch = 0
        self._order = rows
        self.begin(0)

    def __len__(self) -> int:
        """Return the number of batches of an epoch."""
        return -(-len(self._rows) // self._batch_size)

    def begin(self, epoch: int) -> None:
        """Take the order of an epoch; the first has the number 0."""
        self._epoch = epoch
        if self._seed is not None:
            generator = np.random.default_rng((self._seed, epoch))
            self._order = generator.permutation(self._rows)

    def __getitem__(self, number: int) -> tuple[Any, ...]:
        """Return a batch: the inputs of the model, the answers, and perhaps weights."""
        start = number * self._batch_size
        rows = self._order[start : start + self._batch_size]
        answers = self._answers(rows)
        if self._weights is None:
            return self._inputs(rows, number), answers
        return self._inputs(rows, number), answers, self._weights[rows]

    def _inputs(self, rows: NDArray[np.int64], number: int) -> Any:
        if isinstance(self._x, Mapping):
            columns = {name: _taken(x, rows) for name, x in self._x.items()}
            # A model with one input may give it any name.
            return next(iter(columns.values())) if len(columns) == 1 else columns
        images = self._x[rows]
        if self._augment is None or self._seed is None:
            return images
        # The batch's own generator gives the same changes after a resumption.
        generator = np.random.default_rng((self._seed, self._epoch, number))
        return self._augment(images, generator)

    def _answers(self, rows: NDArray[np.int64]) -> NDArray[Any]:
        if self._num_classes is None:
            return self._y[rows]
        one_hot = np.zeros((len(rows), self._num_classes), np.float32)
        one_hot[np.arange(len(rows)), self._y[rows]] = 1
        return one_hot


def _taken(column: NDArray[Any], rows: NDArray[np.int64]) -> Any:
    """Take rows of a column; Keras takes texts as TensorFlow's tensors alone."""
    taken = column[rows]
    return keras.ops.convert_to_tensor(taken) if taken.dtype == object else taken
