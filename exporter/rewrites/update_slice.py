"""``XlaDynamicUpdateSlice``, the operator of ``keras.ops.slice_update``."""

from __future__ import annotations

import tensorflow as tf

from exporter.rewrites.registry import lowering


@lowering("XlaDynamicUpdateSlice")
def lower_update(
    operation: tf.Operation, x: tf.Tensor, update: tf.Tensor, start: tf.Tensor
) -> tf.Tensor:
    """Put ``update`` into ``x`` at ``start``.

    If the update would reach over the end, the start is moved back.
    """
    shape, size = tf.shape(x), tf.shape(update)
    start = tf.clip_by_value(tf.cast(start, tf.int32), 0, shape - size)
    around = tf.stack([start, shape - size - start], axis=1)
    is_new = tf.pad(tf.ones(size, tf.int32), around)
    if x.dtype == tf.bool:
        padded = tf.cast(tf.pad(tf.cast(update, tf.int32), around), tf.bool)
    else:
        padded = tf.pad(update, around)
    return tf.where(is_new > 0, padded, x)
