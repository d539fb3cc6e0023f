"""``CumulativeLogsumexp``, which tf2onnx 1.17 leaves."""

from __future__ import annotations

import numpy as np
import tensorflow as tf

from exporter.rewrites.registry import lowering


@lowering("CumulativeLogsumexp")
def lower_logsumexp(
    operation: tf.Operation, x: tf.Tensor, axis: tf.Tensor
) -> tf.Tensor | None:
    """Sum each prefix separately: one sum for all would lose the small terms."""
    along = tf.get_static_value(axis)
    rank = x.shape.rank
    if along is None or rank is None:
        return None
    along = int(along) % rank
    place = tf.range(tf.shape(x)[along])
    here, other = place[:, tf.newaxis], place[tf.newaxis, :]
    if operation.get_attr("reverse"):
        here, other = other, here
    is_summed = other < here if operation.get_attr("exclusive") else other <= here
    is_summed = tf.reshape(
        is_summed, tf.concat([tf.shape(is_summed), [1] * (rank - along - 1)], axis=0)
    )
    nothing = tf.constant(-np.inf, x.dtype)
    spread = tf.where(is_summed, tf.expand_dims(x, along), nothing)
    return tf.reduce_logsumexp(spread, axis=along + 1)
