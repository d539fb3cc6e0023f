"""``InTopKV2``, ``LowerBound``, ``UpperBound``, by comparing and counting."""

from __future__ import annotations

import tensorflow as tf

from exporter.rewrites.registry import lowering


@lowering("InTopKV2", "InTopK")
def lower_in_top_k(
    operation: tf.Operation,
    predictions: tf.Tensor,
    targets: tf.Tensor,
    *k: tf.Tensor,
) -> tf.Tensor:
    """Whether fewer than k classes beat the target; equal ones do not."""
    wanted = k[0] if k else tf.constant(operation.get_attr("k"), targets.dtype)
    classes = tf.range(tf.shape(predictions, targets.dtype)[1])
    is_target = tf.equal(classes, targets[:, tf.newaxis])
    score = tf.reduce_sum(tf.where(is_target, predictions, 0), axis=1, keepdims=True)
    better = tf.reduce_sum(tf.cast(predictions > score, tf.int32), axis=1)
    # A target that is no class is never among the best, and no target is beside a NaN.
    is_known = tf.logical_and(
        tf.reduce_any(is_target, axis=1),
        tf.reduce_all(tf.math.is_finite(predictions), axis=1),
    )
    return tf.logical_and(better < tf.cast(wanted, tf.int32), is_known)


@lowering("LowerBound", "UpperBound")
def lower_bound(
    operation: tf.Operation, edges: tf.Tensor, values: tf.Tensor
) -> tf.Tensor:
    """The number of edges below each value, or not above it.

    Args:
        operation: the search.
        edges: ``(N, E)`` of any number dtype, each row sorted.
        values: ``(N, V)`` of the same dtype.
    """
    rows, wanted = edges[:, tf.newaxis, :], values[:, :, tf.newaxis]
    is_below = rows < wanted if operation.type == "LowerBound" else rows <= wanted
    return tf.reduce_sum(tf.cast(is_below, operation.outputs[0].dtype), axis=-1)
