"""Arithmetic of unsigned words of 64 bits in int64, which has the kernels.

Sums and products are the same bits in both; shifts to the right and remainders are not.
"""

from __future__ import annotations

import tensorflow as tf


def word(value: int) -> tf.Tensor:
    """A constant, 0 to 2**64 - 1."""
    return tf.constant(value - (1 << 64) if value >> 63 else value, tf.int64)


def xor(first: tf.Tensor, *others: tf.Tensor) -> tf.Tensor:
    """All of them, bit by bit."""
    for other in others:
        first = tf.bitwise.bitwise_xor(first, other)
    return first


def shifted_right(x: tf.Tensor, bits: int) -> tf.Tensor:
    """With zeros from the left."""
    unsigned = tf.cast(x, tf.uint64)
    shift = tf.constant(bits, tf.uint64)
    return tf.cast(tf.bitwise.right_shift(unsigned, shift), tf.int64)


def rotated_right(x: tf.Tensor, bits: int) -> tf.Tensor:
    """What falls out on the right comes in on the left."""
    return shifted_right(x, bits) + x * word(1 << (64 - bits))


def rotated_left(x: tf.Tensor, bits: int) -> tf.Tensor:
    """What falls out on the left comes in on the right."""
    return rotated_right(x, 64 - bits)


def remainder(x: tf.Tensor, divisor: int) -> tf.Tensor:
    """Of the unsigned word; ``divisor`` is below 2**62."""
    by = tf.constant(divisor, tf.int64)
    half = shifted_right(x, 1)  # is not negative as a signed word either
    lowest = x - 2 * half
    return tf.math.floormod(tf.math.floormod(half, by) * 2 + lowest, by)
