"""The answers of a model to rows of a table, in few large batches."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from trainer.samples import Columns

_ROWS = 4096


def answers(model: Any, inputs: Columns) -> NDArray[np.float64]:
    """Ask a model.

    Args:
        model: a model of Keras.
        inputs: see ``TableSet.x_train``.

    Returns:
        ``(N, K)`` float64.
    """
    count = len(next(iter(inputs.values())))
    parts = []
    for start in range(0, count, _ROWS):
        columns = {n: _given(x[start : start + _ROWS]) for n, x in inputs.items()}
        # A model with one input may give it any name.
        only = next(iter(columns.values())) if len(columns) == 1 else columns
        parts.append(np.asarray(model.predict_on_batch(only), np.float64))
    return np.concatenate(parts)


def _given(values: NDArray[Any]) -> Any:
    if values.dtype != object:
        return values
    import keras

    # Keras takes texts as TensorFlow's tensors alone.
    return keras.ops.convert_to_tensor(values)
