"""``MatrixSetDiag``: tf2onnx 1.17 leaves a ``Range`` that is none of ONNX's."""

from __future__ import annotations

import tensorflow as tf

from exporter.rewrites.registry import lowering


@lowering("MatrixSetDiag", "MatrixSetDiagV2", "MatrixSetDiagV3")
def lower_set_diagonal(
    operation: tf.Operation,
    matrices: tf.Tensor,
    diagonal: tf.Tensor,
    which: tf.Tensor | None = None,
) -> tf.Tensor:
    """Put one diagonal, or several next to one another, into matrices.

    Args:
        operation: its ``align`` says at which end the shorter of several are filled up.
        matrices: ``(..., M, N)``.
        diagonal: ``(..., length)``, or ``(..., count, length)`` from the uppermost.
        which: the lowest and the uppermost diagonal, or the one; the main one is 0.
    """
    bounds = tf.reshape(tf.zeros([1], tf.int32) if which is None else which, [-1])
    lowest, uppermost = bounds[0], bounds[-1]
    align = b"LEFT_LEFT"
    if operation.type == "MatrixSetDiagV3":
        align = operation.get_attr("align")
    rows, columns = tf.shape(matrices)[-2], tf.shape(matrices)[-1]
    row, column = tf.range(rows)[:, tf.newaxis], tf.range(columns)[tf.newaxis, :]
    number = column - row
    is_on = (number >= lowest) & (number <= uppermost)
    length = tf.shape(diagonal)[-1]
    own = tf.minimum(rows + tf.minimum(number, 0), columns - tf.maximum(number, 0))
    is_above = number > 0
    above, below = (word == b"RIGHT" for word in align.split(b"_"))
    filling = tf.where(is_above, above, below)
    # The main one is of both kinds: as long as it is the longest, it is not filled up.
    filling = filling & (tf.not_equal(number, 0) | (own < length))
    place = tf.minimum(row, column) + tf.where(filling, length - own, 0)
    place = tf.where(is_on, (uppermost - number) * length + place, 0)
    count = uppermost - lowest + 1
    flat = tf.reshape(
        diagonal, tf.concat([tf.shape(matrices)[:-2], [count * length]], axis=0)
    )
    return tf.where(is_on, tf.gather(flat, place, axis=-1), matrices)
