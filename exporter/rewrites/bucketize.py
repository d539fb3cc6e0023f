"""``Bucketize``: Keras's Discretization, which tf2onnx 1.17 does not know."""

from __future__ import annotations

import tensorflow as tf

from exporter.rewrites.registry import lowering


@lowering("Bucketize")
def lower_bucketize(operation: tf.Operation, x: tf.Tensor) -> tf.Tensor:
    """The number of boundaries that are not above ``x``; all of them for NaN."""
    boundaries = operation.get_attr("boundaries")
    above = tf.cast(x, tf.float32)[..., tf.newaxis] < tf.constant(
        boundaries, tf.float32, [len(boundaries)]
    )
    return len(boundaries) - tf.reduce_sum(tf.cast(above, tf.int32), axis=-1)
