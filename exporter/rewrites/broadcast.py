"""Shapes of two operands together: ``BroadcastArgs``, ``BroadcastGradientArgs``.

tf2onnx 1.17 has the first one only between constants.
"""

from __future__ import annotations

import tensorflow as tf

from exporter.rewrites.registry import lowering


def _padded(first: tf.Tensor, second: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Fill both shapes up with ones in front, to the length of the longer one."""
    sizes = tf.size(first), tf.size(second)
    rank = tf.maximum(*sizes)
    padded = (
        tf.concat([tf.ones([rank - size], shape.dtype), shape], 0)
        for shape, size in zip((first, second), sizes, strict=True)
    )
    return next(padded), next(padded)


@lowering("BroadcastArgs")
def lower_together(
    operation: tf.Operation, first: tf.Tensor, second: tf.Tensor
) -> tf.Tensor:
    """The shape of both together: where one has a 1, the other's side, even 0."""
    first, second = _padded(first, second)
    return tf.where(tf.equal(first, 1), second, first)


@lowering("BroadcastGradientArgs")
def lower_summed(
    operation: tf.Operation, first: tf.Tensor, second: tf.Tensor
) -> list[tf.Tensor]:
    """The axes along which each operand was repeated."""
    first, second = _padded(first, second)
    both = tf.where(tf.equal(first, 1), second, first)
    return [
        tf.cast(tf.where(tf.logical_or(tf.not_equal(s, both), tf.equal(s, 1)))[:, 0],
                operation.outputs[0].dtype)
        for s in (first, second)
    ]  # fmt: skip
