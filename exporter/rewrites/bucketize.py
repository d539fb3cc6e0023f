"""``Bucketize``: Keras's Discretization, which tf2onnx 1.17 does not know."""

from __future__ import annotations

import numpy as np
import tensorflow as tf

from exporter.rewrites.registry import lowering


@lowering("Bucketize")
def lower_bucketize(operation: tf.Operation, x: tf.Tensor) -> tf.Tensor:
    """The number of boundaries not above ``x``, int32; all of them for NaN."""
    boundaries = operation.get_attr("boundaries")
    if not boundaries:
        # A sum over no boundaries keeps their axis after onnxslim has folded it.
        return tf.zeros_like(x, tf.int32)
    # TensorFlow's kernel compares float64 exactly, and everything else in float32, also
    # int64.
    wide = tf.float64 if x.dtype == tf.float64 else tf.float32
    edges = tf.constant(np.array(boundaries, np.float32), wide)
    above = tf.cast(x, wide)[..., tf.newaxis] < edges
    return len(boundaries) - tf.reduce_sum(tf.cast(above, tf.int32), axis=-1)
