"""Rotations of two rows or columns, by which Jacobi and Givens put zeros into matrices.

Which two is known only when the model runs, turn by turn: they are taken out and put
back by vectors that are 1 at their places.
"""

from __future__ import annotations

from dataclasses import dataclass

import tensorflow as tf


@dataclass(frozen=True)
class Rotation:
    """``x' = c x + s y, y' = c y - s x``, of each matrix its own.

    Attributes:
        c: ``(..., 1, 1)``, the cosine.
        s: the same, the sine.
    """

    c: tf.Tensor
    s: tf.Tensor

    def turned(self) -> Rotation:
        """The other way round."""
        return Rotation(self.c, -self.s)

    def after(self, other: Rotation) -> Rotation:
        """Both in one."""
        c = self.c * other.c - self.s * other.s
        return Rotation(c, self.c * other.s + self.s * other.c)

    def only(self, where: tf.Tensor) -> Rotation:
        """None at all in the other matrices."""
        one, zero = tf.ones_like(self.c), tf.zeros_like(self.c)
        return Rotation(tf.where(where, self.c, one), tf.where(where, self.s, zero))

    def of_rows(self, a: tf.Tensor, p: tf.Tensor, q: tf.Tensor) -> tf.Tensor:
        """Turn two rows; p and q are ``(n, 1)`` with a 1 at their row."""
        x = tf.reduce_sum(a * p, axis=-2, keepdims=True)
        y = tf.reduce_sum(a * q, axis=-2, keepdims=True)
        kept = a * (1 - p - q)
        return kept + p * (self.c * x + self.s * y) + q * (self.c * y - self.s * x)

    def of_columns(self, a: tf.Tensor, p: tf.Tensor, q: tf.Tensor) -> tf.Tensor:
        """Turn two columns; p and q as of rows."""
        p, q = tf.transpose(p), tf.transpose(q)
        x = tf.reduce_sum(a * p, axis=-1, keepdims=True)
        y = tf.reduce_sum(a * q, axis=-1, keepdims=True)
        kept = a * (1 - p - q)
        return kept + p * (self.c * x + self.s * y) + q * (self.c * y - self.s * x)


def place(index: tf.Tensor, side: int, dtype: tf.DType) -> tf.Tensor:
    """``(side, 1)`` with a 1 at the index."""
    return tf.cast(tf.one_hot(index, side), dtype)[:, tf.newaxis]


def entry(a: tf.Tensor, p: tf.Tensor, q: tf.Tensor) -> tf.Tensor:
    """``a[p, q]``, ``(..., 1, 1)``."""
    return tf.reduce_sum(a * p * tf.transpose(q), axis=[-2, -1], keepdims=True)


def sorted_columns(matrix: tf.Tensor, order: tf.Tensor) -> tf.Tensor:
    """The columns of each matrix in its own order, ``(..., k)``; others after them."""
    side = matrix.shape[-1]
    chosen = tf.cast(tf.one_hot(order, side), matrix.dtype)
    return tf.matmul(matrix, chosen, transpose_b=True)
