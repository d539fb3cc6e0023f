"""``ScatterNd``: TensorFlow adds several rows for the same place.

tf2onnx 1.17 writes ScatterND without its ``reduction``, so only the last row stays.
"""

from __future__ import annotations

import tensorflow as tf

from exporter.rewrites.registry import lowering


@lowering("ScatterNd")
def lower_scatter(
    operation: tf.Operation, places: tf.Tensor, rows: tf.Tensor, shape: tf.Tensor
) -> tf.Tensor:
    """Add the rows to zeros; for flags, take whether any is true."""
    if rows.dtype == tf.bool:
        counted = tf.scatter_nd(places, tf.cast(rows, tf.int32), shape)
        return tf.not_equal(counted, 0)
    zeros = tf.zeros(shape, rows.dtype)
    zeros.set_shape(operation.outputs[0].shape)
    return tf.tensor_scatter_nd_add(zeros, places, rows)
