"""``OneHot``: ONNX counts negative indices from the end, and has few dtypes.

In TensorFlow an index outside of the depth gives no 1. tf2onnx 1.17 passes ``on`` and
``off`` on unchanged, and ONNX Runtime has kernels for a few of their dtypes only.
"""

from __future__ import annotations

import tensorflow as tf

from exporter.rewrites.registry import lowering


@lowering("OneHot")
def lower_one_hot(
    operation: tf.Operation,
    indices: tf.Tensor,
    depth: tf.Tensor,
    on: tf.Tensor,
    off: tf.Tensor,
) -> tf.Tensor | None:
    """Put ``on`` in the place of the index; None without a known rank."""
    rank = indices.shape.rank
    if rank is None:
        return None
    axis = operation.get_attr("axis")
    axis = rank if axis == -1 else axis
    if indices.dtype not in (tf.int32, tf.int64):
        indices = tf.cast(indices, tf.int32)
    places = tf.range(tf.cast(depth, indices.dtype))
    places = tf.reshape(places, [-1] + [1] * (rank - axis))
    is_here = tf.equal(tf.expand_dims(indices, axis), places)
    return tf.where(is_here, on, off)
