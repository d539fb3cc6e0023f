"""Arithmetic of unsigned words of 64 bits in int64, which has the kernels.

Sums and products have the same bits in both. Shifts to the right and remainders differ,
and are written out here.
"""

from __future__ import annotations

import tensorflow as tf


def word(value: int) -> tf.Tensor:
    """A constant from 0 to 2**64 - 1, as an int64 scalar of the same bits."""
    return tf.constant(value - (1 << 64) if value >> 63 else value, tf.int64)


def xor(first: tf.Tensor, *others: tf.Tensor) -> tf.Tensor:
    """The exclusive or of int64 tensors, bit by bit."""
    for other in others:
        first = tf.bitwise.bitwise_xor(first, other)
    return first


def shifted_right(x: tf.Tensor, bits: int) -> tf.Tensor:
    """Shift int64 bits to the right; zeros come in from the left."""
    unsigned = tf.cast(x, tf.uint64)
    shift = tf.constant(bits, tf.uint64)
    return tf.cast(tf.bitwise.right_shift(unsigned, shift), tf.int64)


def rotated_right(x: tf.Tensor, bits: int) -> tf.Tensor:
    """Rotate int64 bits to the right."""
    return shifted_right(x, bits) + x * word(1 << (64 - bits))


def rotated_left(x: tf.Tensor, bits: int) -> tf.Tensor:
    """Rotate int64 bits to the left."""
    return rotated_right(x, 64 - bits)


def remainder(x: tf.Tensor, divisor: int) -> tf.Tensor:
    """The remainder of the unsigned word; ``divisor`` is below 2**62."""
    by = tf.constant(divisor, tf.int64)
    half = shifted_right(x, 1)  # is not negative as a signed word either
    lowest = x - 2 * half
    return tf.math.floormod(tf.math.floormod(half, by) * 2 + lowest, by)
