"""Remove a dropout that drops nothing, as in frozen graphs of TensorFlow 1.

The share to keep was a placeholder there, with a default of 1. The graph still draws
random numbers and compares them with 0, but the result is always the same.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import tensorflow as tf

from exporter.rewrites.known import value_of
from exporter.rewrites.registry import lowering


@dataclass(frozen=True)
class _Drawn:
    """Numbers that are drawn from a uniform distribution.

    Attributes:
        shape: the shape of the numbers; it is known without drawing.
        low: the least possible number.
        high: all numbers are below this.
    """

    shape: tf.Tensor
    low: float
    high: float


@lowering("GreaterEqual")
def lower_kept(
    operation: tf.Operation, drawn: tf.Tensor, rate: tf.Tensor
) -> tf.Tensor | None:
    """Answer True for all numbers if no draw can be below the rate; else None."""
    found = _drawn(drawn)
    least = None if found is None else _scalar(rate)
    if found is None or least is None or found.low < least:
        return None
    return tf.fill(found.shape, True)


@lowering("Floor")
def lower_floor(operation: tf.Operation, drawn: tf.Tensor) -> tf.Tensor | None:
    """Answer the floor of the kept share plus a draw if it is always the same."""
    found = _drawn(drawn)
    if found is None or np.floor(found.low) != np.ceil(found.high) - 1:
        return None
    return tf.fill(found.shape, tf.constant(np.floor(found.low), drawn.dtype))


def _drawn(tensor: tf.Tensor) -> _Drawn | None:
    """The range of a tensor that is drawn, and moved and stretched by constants."""
    operation = tensor.op
    if operation.type == "RandomUniform":
        return _Drawn(operation.inputs[0], 0.0, 1.0)
    if operation.type not in ("Add", "AddV2", "Mul"):
        return None
    for draw, other in (operation.inputs, reversed(operation.inputs)):
        found = _drawn(draw)
        by = None if found is None else _scalar(other)
        if found is None or by is None:
            continue
        if operation.type == "Mul":
            return _Drawn(found.shape, *sorted((found.low * by, found.high * by)))
        return _Drawn(found.shape, found.low + by, found.high + by)
    return None


def _scalar(tensor: tf.Tensor) -> float | None:
    value = value_of(tensor) if tensor.shape.rank == 0 else None
    return None if value is None else float(value)
