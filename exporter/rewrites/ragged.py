"""``RaggedTensorToTensor`` for input that may have no values.

tf2onnx 1.17 divides by the number of values.

A sentence without words, for example, gives only empty rows.
"""

from __future__ import annotations

import tensorflow as tf

from exporter.rewrites.registry import lowering


@lowering("RaggedTensorToTensor")
def lower_ragged(
    operation: tf.Operation,
    shape: tf.Tensor,
    values: tf.Tensor,
    default: tf.Tensor,
    *partitions: tf.Tensor,
) -> tf.Tensor | None:
    """Rows filled up with ``default``; None for rows in rows.

    Args:
        operation: the conversion.
        shape: the shape of the answer, whole numbers; -1 is as long as the longest row.
        values: ``(total,) + row`` of any dtype, the values of all rows one after the
            other.
        default: a scalar, or a row.
        partitions: whole numbers, where each row begins and the last one ends.
    """
    if operation.get_attr("row_partition_types") != [b"ROW_SPLITS"]:
        return None
    if values.shape.rank is None:
        return None
    (splits,) = partitions
    # A single -1 stands for all axes.
    shape = tf.broadcast_to(tf.cast(shape, splits.dtype), [values.shape.rank + 1])
    begins, lengths = splits[:-1], splits[1:] - splits[:-1]
    longest = tf.reduce_max(tf.concat([lengths, tf.zeros([1], splits.dtype)], axis=0))
    rows = tf.where(shape[0] < 0, tf.size(begins, splits.dtype), shape[0])
    width = tf.where(shape[1] < 0, longest, shape[1])
    # Keep exactly as many rows as are asked for; empty rows are added at the end.
    begins, lengths = (_fitted(given, rows) for given in (begins, lengths))
    place = tf.range(width)[tf.newaxis, :]
    total = tf.shape(values, splits.dtype)[0]
    is_there = place < lengths[:, tf.newaxis]
    chosen = tf.where(is_there, begins[:, tf.newaxis] + place, total)
    row = tf.concat([[1], tf.shape(values)[1:]], axis=0)
    filling = tf.broadcast_to(tf.cast(default, values.dtype), row)
    answer = tf.gather(tf.concat([values, filling], axis=0), chosen)
    return tf.ensure_shape(answer, operation.outputs[0].shape)


def _fitted(given: tf.Tensor, rows: tf.Tensor) -> tf.Tensor:
    missing = tf.maximum(rows - tf.size(given, rows.dtype), 0)
    return tf.pad(given, [[0, missing]])[:rows]
