"""``Bucketize``: Keras's Discretization, which tf2onnx 1.17 does not know."""

from __future__ import annotations

import numpy as np
import tensorflow as tf

from exporter.rewrites.registry import lowering


@lowering("Bucketize")
def lower_bucketize(operation: tf.Operation, x: tf.Tensor) -> tf.Tensor:
    """The number of boundaries that are not above ``x``; all of them for NaN."""
    boundaries = operation.get_attr("boundaries")
    if not boundaries:
        # A sum over no boundaries keeps their axis once onnxslim has folded it.
        return tf.zeros_like(x, tf.int32)
    # The kernel compares float64 as it is, and all else in float32, long numbers too.
    wide = tf.float64 if x.dtype == tf.float64 else tf.float32
    edges = tf.constant(np.array(boundaries, np.float32), wide)
    above = tf.cast(x, wide)[..., tf.newaxis] < edges
    return len(boundaries) - tf.reduce_sum(tf.cast(above, tf.int32), axis=-1)
