"""Linear equations, inverses and determinants, which ONNX lacks.

This is Gaussian elimination with row pivots, as in LAPACK, step by step for matrices of
a known size, and for any number of matrices at once.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import tensorflow as tf

from exporter.rewrites.registry import lowering

# Each row takes a dozen operators of the graph.
LARGEST = 256


def side_of(a: tf.Tensor) -> int | None:
    """The known size of square matrices; None if it is free, or too large."""
    side: int | None = a.shape[-1]
    return side if side is not None and side <= LARGEST else None


@dataclass(frozen=True)
class _Factors:
    """The factors ``a[order] = L U`` of ``(..., n, n)``.

    Attributes:
        both: U, and L below its diagonal; the diagonal of L is of ones.
        order: ``(..., n)`` int32, the order of the rows.
        sign: ``(...)``, 1, or -1 after an odd number of swaps.
    """

    both: tf.Tensor
    order: tf.Tensor
    sign: tf.Tensor


def _factored(a: tf.Tensor, side: int) -> _Factors:
    rows = np.arange(side, dtype=np.int32)
    order = tf.zeros_like(a[..., 0], tf.int32) + rows
    sign = tf.ones_like(a[..., 0, 0])
    for k in range(side):
        size = tf.where(rows >= k, tf.abs(a[..., k]), -tf.ones_like(a[..., k]))
        best = tf.argmax(size, axis=-1, output_type=tf.int32)
        is_best, is_this = tf.equal(rows, tf.expand_dims(best, -1)), rows == k
        chosen = tf.where(is_best[..., tf.newaxis], a, tf.zeros_like(a))
        chosen = tf.reduce_sum(chosen, axis=-2, keepdims=True)
        swapped = tf.where(is_best[..., tf.newaxis], a[..., k : k + 1, :], a)
        a = tf.where(is_this[:, np.newaxis], chosen, swapped)
        moved = tf.where(is_best, order, 0)
        moved = tf.reduce_sum(moved, axis=-1, keepdims=True)
        order = tf.where(
            is_this, moved, tf.where(is_best, order[..., k : k + 1], order)
        )
        sign = tf.where(tf.equal(best, k), sign, -sign)
        pivot = chosen[..., k : k + 1]
        # A pivot of 0 has only zeros below it.
        safe = tf.where(tf.equal(pivot, 0), tf.ones_like(pivot), pivot)
        below = (rows > k)[:, np.newaxis]
        factor = tf.where(below, a[..., k : k + 1] / safe, tf.zeros_like(pivot))
        right = tf.where(rows > k, chosen, tf.zeros_like(chosen))
        a = tf.where(below & is_this, factor, a - factor * right)
    return _Factors(a, order, sign)


def substituted(
    a: tf.Tensor, b: tf.Tensor, *, lower: bool, is_unit: bool = False
) -> tf.Tensor:
    """Solve ``a x = b`` for a triangular matrix a.

    Args:
        a: ``(..., n, n)`` float; the other triangle is not used.
        b: ``(..., n, m)`` of the same dtype.
        lower: whether the lower triangle is used.
        is_unit: whether the diagonal counts as ones, whatever it holds.
    """
    side = a.shape[-1]
    found = {}
    for k in range(side) if lower else reversed(range(side)):
        row = b[..., k : k + 1, :]
        found[k] = row if is_unit else row / a[..., k : k + 1, k : k + 1]
        b = b - a[..., k : k + 1] * found[k]
    return tf.concat([found[k] for k in range(side)], axis=-2)


def _solved(a: tf.Tensor, b: tf.Tensor, side: int) -> tf.Tensor:
    factors = _factored(a, side)
    permuted = tf.cast(tf.one_hot(factors.order, side), a.dtype)
    b = substituted(factors.both, permuted @ b, lower=True, is_unit=True)
    return substituted(factors.both, b, lower=False)


def _turned(operation: tf.Operation, a: tf.Tensor) -> tf.Tensor:
    is_turned = operation.get_attr("adjoint")
    return tf.linalg.matrix_transpose(a) if is_turned else a


@lowering("MatrixSolve")
def lower_solve(
    operation: tf.Operation, a: tf.Tensor, b: tf.Tensor
) -> tf.Tensor | None:
    """The x of ``a x = b``, ``(..., n, m)``."""
    side = side_of(a)
    return None if side is None else _solved(_turned(operation, a), b, side)


@lowering("MatrixTriangularSolve")
def lower_triangular(
    operation: tf.Operation, a: tf.Tensor, b: tf.Tensor
) -> tf.Tensor | None:
    """The x of ``a x = b`` for a triangular matrix."""
    if side_of(a) is None:
        return None
    is_lower = operation.get_attr("lower") != operation.get_attr("adjoint")
    return substituted(_turned(operation, a), b, lower=is_lower)


@lowering("MatrixInverse")
def lower_inverse(operation: tf.Operation, a: tf.Tensor) -> tf.Tensor | None:
    """The inverse of ``(..., n, n)``, as the x of ``a x = 1``."""
    side = side_of(a)
    if side is None:
        return None
    unit = tf.zeros_like(a) + tf.eye(side, dtype=a.dtype)
    return _solved(_turned(operation, a), unit, side)


@lowering("MatrixDeterminant")
def lower_determinant(operation: tf.Operation, a: tf.Tensor) -> tf.Tensor | None:
    """The determinant ``(...)``, as the product of U's diagonal."""
    side = side_of(a)
    if side is None:
        return None
    factors = _factored(a, side)
    diagonal = tf.reduce_sum(factors.both * tf.eye(side, dtype=a.dtype), axis=-1)
    return factors.sign * tf.reduce_prod(diagonal, axis=-1)


@lowering("LogMatrixDeterminant")
def lower_log_determinant(
    operation: tf.Operation, a: tf.Tensor
) -> list[tf.Tensor] | None:
    """The determinant's sign and log size; the size itself may exceed float32."""
    side = side_of(a)
    if side is None:
        return None
    factors = _factored(a, side)
    diagonal = tf.reduce_sum(factors.both * tf.eye(side, dtype=a.dtype), axis=-1)
    sign = factors.sign * tf.reduce_prod(tf.sign(diagonal), axis=-1)
    return [sign, tf.reduce_sum(tf.math.log(tf.abs(diagonal)), axis=-1)]


@lowering("Lu")
def lower_lu(operation: tf.Operation, a: tf.Tensor) -> list[tf.Tensor] | None:
    """Both factors in one matrix ``(..., n, n)``, and the order of the rows."""
    side = side_of(a)
    if side is None:
        return None
    factors = _factored(a, side)
    return [factors.both, tf.cast(factors.order, operation.outputs[1].dtype)]


@lowering("Cholesky")
def lower_cholesky(operation: tf.Operation, a: tf.Tensor) -> tf.Tensor | None:
    """The lower L of ``L L^T``, column by column; NaN if a matrix has none."""
    side = side_of(a)
    if side is None:
        return None
    rows, columns = np.arange(side), []
    for k in range(side):
        column = a[..., k : k + 1] / tf.sqrt(a[..., k : k + 1, k : k + 1])
        columns.append(
            tf.where((rows >= k)[:, np.newaxis], column, tf.zeros_like(column))
        )
        a = a - columns[-1] * tf.linalg.matrix_transpose(columns[-1])
    return tf.concat(columns, axis=-1)
