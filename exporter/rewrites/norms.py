"""``L2Loss`` and ``EuclideanNorm``: sums of squares, which tf2onnx 1.17 leaves."""

from __future__ import annotations

import tensorflow as tf

from exporter.rewrites.registry import lowering


@lowering("L2Loss")
def lower_loss(operation: tf.Operation, x: tf.Tensor) -> tf.Tensor:
    """Half the sum of all squares, a scalar."""
    return tf.reduce_sum(x * x) / tf.constant(2, x.dtype)


@lowering("EuclideanNorm")
def lower_norm(operation: tf.Operation, x: tf.Tensor, axes: tf.Tensor) -> tf.Tensor:
    """The root of the sum of squares along axes."""
    squares = tf.reduce_sum(x * x, axes, operation.get_attr("keep_dims"))
    if x.dtype.is_floating:
        return tf.sqrt(squares)
    return tf.cast(tf.sqrt(tf.cast(squares, tf.float64)), x.dtype)
