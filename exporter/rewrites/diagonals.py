"""``MatrixDiag`` and ``MatrixSetDiag``.

tf2onnx 1.17 gives the first one an axis too few for a single matrix, and leaves in the
second one a ``Range`` that ONNX does not have.
"""

from __future__ import annotations

import tensorflow as tf

from exporter.rewrites.registry import lowering


@lowering("MatrixSetDiag", "MatrixSetDiagV2", "MatrixSetDiagV3")
def lower_set_diagonal(
    operation: tf.Operation,
    matrices: tf.Tensor,
    diagonal: tf.Tensor,
    which: tf.Tensor | None = None,
) -> tf.Tensor | None:
    """Put one diagonal, or several neighbouring ones, into matrices.

    None if ``which`` is no constant.

    Args:
        operation: its ``align`` tells at which end shorter diagonals are filled up.
        matrices: ``(..., M, N)`` of any dtype.
        diagonal: ``(..., length)``, or ``(..., count, length)`` with the uppermost
            first.
        which: the lowest and the uppermost diagonal, or a single one; 0 is the main
            one.
    """
    bounds = _bounds(which)
    return bounds and _placed(operation, matrices, diagonal, *bounds)


@lowering("MatrixDiag", "MatrixDiagV2", "MatrixDiagV3")
def lower_diagonal(
    operation: tf.Operation,
    diagonal: tf.Tensor,
    which: tf.Tensor | None = None,
    rows: tf.Tensor | None = None,
    columns: tf.Tensor | None = None,
    padding: tf.Tensor | None = None,
) -> tf.Tensor | None:
    """Put diagonals into matrices that hold one number elsewhere.

    Args:
        operation: see ``lower_set_diagonal``.
        diagonal: see ``lower_set_diagonal``.
        which: see ``lower_set_diagonal``.
        rows: the number of rows of a matrix, a scalar; -1 is as few as possible.
        columns: the number of columns, in the same way.
        padding: the number elsewhere, a scalar.
    """
    bounds = _bounds(which)
    if bounds is None:
        return None
    lowest, uppermost = bounds
    length = tf.shape(diagonal)[-1]
    fewest = length - min(uppermost, 0), length + max(lowest, 0)
    one = tf.constant(-1)
    rows, columns = (one if n is None else tf.reshape(n, []) for n in (rows, columns))
    # If neither is given, the matrix is a square.
    most = tf.where(tf.equal(rows, columns), tf.reduce_max(fewest), 0)
    sides = [
        tf.where(side < 0, tf.maximum(few, most), side)
        for side, few in zip((rows, columns), fewest, strict=True)
    ]
    batches = tf.shape(diagonal)[: -1 if lowest == uppermost else -2]
    value = tf.zeros([], diagonal.dtype) if padding is None else padding
    matrices = tf.fill(tf.concat([batches, sides], axis=0), tf.reshape(value, []))
    placed = _placed(operation, matrices, diagonal, *bounds)
    return tf.ensure_shape(placed, operation.outputs[0].shape)


def _bounds(which: tf.Tensor | None) -> tuple[int, int] | None:
    if which is None:
        return 0, 0
    known = tf.get_static_value(which)
    if known is None:
        return None
    return int(known.min()), int(known.max())


def _placed(
    operation: tf.Operation,
    matrices: tf.Tensor,
    diagonal: tf.Tensor,
    lowest: int,
    uppermost: int,
) -> tf.Tensor:
    align = b"LEFT_LEFT"
    if operation.type.endswith("V3"):
        align = operation.get_attr("align")
    rows, columns = tf.shape(matrices)[-2], tf.shape(matrices)[-1]
    row, column = tf.range(rows)[:, tf.newaxis], tf.range(columns)[tf.newaxis, :]
    number = column - row
    is_on = (number >= lowest) & (number <= uppermost)
    length = tf.shape(diagonal)[-1]
    own = tf.minimum(rows + tf.minimum(number, 0), columns - tf.maximum(number, 0))
    above, below = (word == b"RIGHT" for word in align.split(b"_"))
    filling = tf.where(number >= 0, length - own if above else 0 * own, 0)
    filling += tf.where(number < 0, length - own if below else 0 * own, 0)
    place = tf.minimum(row, column) + filling
    place = tf.where(is_on, (uppermost - number) * length + place, 0)
    count = uppermost - lowest + 1
    flat = tf.reshape(
        diagonal, tf.concat([tf.shape(matrices)[:-2], [count * length]], axis=0)
    )
    return tf.where(is_on, tf.gather(flat, place, axis=-1), matrices)
