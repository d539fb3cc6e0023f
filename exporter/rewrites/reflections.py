"""``Qr`` by Householder's reflections, with the signs of TensorFlow's Eigen."""

from __future__ import annotations

import numpy as np
import tensorflow as tf

from exporter.rewrites.elimination import LARGEST
from exporter.rewrites.registry import lowering


def reflection(column: tf.Tensor, k: int) -> tuple[tf.Tensor, tf.Tensor]:
    """The reflection ``1 - tau v v^T`` that moves ``column[k:]`` to its first number.

    Args:
        column: ``(..., m, 1)`` of a real dtype.
        k: the numbers above this row stay.

    Returns:
        v, ``(..., m, 1)``, with zeros above k and a 1 at k; and tau, ``(..., 1, 1)``,
        which is 0 if nothing is left to reflect.
    """
    rows = np.arange(column.shape[-2])[:, np.newaxis]
    first = column[..., k : k + 1, :]
    tail = tf.where(rows > k, column, tf.zeros_like(column))
    rest = tf.reduce_sum(tail * tail, axis=-2, keepdims=True)
    length = tf.sqrt(first * first + rest)
    beta = tf.where(first >= 0, -length, length)
    is_done = rest <= np.finfo(column.dtype.as_numpy_dtype).tiny
    one, zero = tf.ones_like(first), tf.zeros_like(first)
    v = tail / tf.where(is_done, one, first - beta)
    v = tf.where(rows == k, one, tf.where(is_done, zero, v))
    tau = tf.where(is_done, zero, (beta - first) / tf.where(is_done, one, beta))
    return v, tau


@lowering("Qr")
def lower_qr(operation: tf.Operation, a: tf.Tensor) -> list[tf.Tensor] | None:
    """Q ``(..., m, k)`` with orthogonal columns, and R, an upper triangle."""
    height, width = a.shape[-2:]
    if height is None or width is None or max(height, width) > LARGEST:
        return None
    q = tf.zeros_like(a[..., :1]) + tf.eye(height, dtype=a.dtype)
    for k in range(min(height, width)):
        v, tau = reflection(a[..., k : k + 1], k)
        flat = tf.linalg.matrix_transpose(v)
        a = a - tau * v * (flat @ a)
        q = q - tau * (q @ v) * flat
    upper = np.arange(height)[:, np.newaxis] <= np.arange(width)
    r = tf.where(upper, a, tf.zeros_like(a))
    if operation.get_attr("full_matrices"):
        return [q, r]
    return [q[..., : min(height, width)], r[..., : min(height, width), :]]
