"""Rotations of two rows or columns, by which Jacobi and Givens make zeros.

The two rows or columns are only known at run time, in each turn. They are taken out and
put back by vectors that are 1 at their places.
"""

from __future__ import annotations

from dataclasses import dataclass

import tensorflow as tf


@dataclass(frozen=True)
class Rotation:
    """The rotation ``x' = c x + s y, y' = c y - s x``, a different one for each matrix.

    Attributes:
        c: the cosine, ``(..., 1, 1)``.
        s: the sine, ``(..., 1, 1)``.
    """

    c: tf.Tensor
    s: tf.Tensor

    def turned(self) -> Rotation:
        """The inverse rotation."""
        return Rotation(self.c, -self.s)

    def after(self, other: Rotation) -> Rotation:
        """This rotation after another one, as a single one."""
        c = self.c * other.c - self.s * other.s
        return Rotation(c, self.c * other.s + self.s * other.c)

    def only(self, where: tf.Tensor) -> Rotation:
        """The rotation for the chosen matrices, and none for the others."""
        one, zero = tf.ones_like(self.c), tf.zeros_like(self.c)
        return Rotation(tf.where(where, self.c, one), tf.where(where, self.s, zero))

    def of_rows(self, a: tf.Tensor, p: tf.Tensor, q: tf.Tensor) -> tf.Tensor:
        """Rotate two rows; p and q are ``(n, 1)`` with a 1 at their row."""
        x = tf.reduce_sum(a * p, axis=-2, keepdims=True)
        y = tf.reduce_sum(a * q, axis=-2, keepdims=True)
        kept = a * (1 - p - q)
        return kept + p * (self.c * x + self.s * y) + q * (self.c * y - self.s * x)

    def of_columns(self, a: tf.Tensor, p: tf.Tensor, q: tf.Tensor) -> tf.Tensor:
        """Rotate two columns; p and q are ``(n, 1)`` with a 1 at their column."""
        p, q = tf.transpose(p), tf.transpose(q)
        x = tf.reduce_sum(a * p, axis=-1, keepdims=True)
        y = tf.reduce_sum(a * q, axis=-1, keepdims=True)
        kept = a * (1 - p - q)
        return kept + p * (self.c * x + self.s * y) + q * (self.c * y - self.s * x)


def place(index: tf.Tensor, side: int, dtype: tf.DType) -> tf.Tensor:
    """A vector ``(side, 1)`` with a 1 at the index."""
    return tf.cast(tf.one_hot(index, side), dtype)[:, tf.newaxis]


def entry(a: tf.Tensor, p: tf.Tensor, q: tf.Tensor) -> tf.Tensor:
    """The number ``a[p, q]``, as ``(..., 1, 1)``."""
    return tf.reduce_sum(a * p * tf.transpose(q), axis=[-2, -1], keepdims=True)


def sorted_columns(matrix: tf.Tensor, order: tf.Tensor) -> tf.Tensor:
    """Each matrix's columns in its own order, ``(..., k)``; other columns follow."""
    side = matrix.shape[-1]
    chosen = tf.cast(tf.one_hot(order, side), matrix.dtype)
    return tf.matmul(matrix, chosen, transpose_b=True)
