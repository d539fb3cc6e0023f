"""Whole numbers as the bytes that TensorFlow writes for them (``AsString``)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import tensorflow as tf

# The text of an int64 has a sign and 19 digits.
LONGEST = 20
_DIGITS = LONGEST - 1
# The least int64 has no opposite, so its digits are constants below.
_LEAST = -(1 << 63)


@dataclass(frozen=True)
class Decimal:
    """The texts of numbers of any shape S.

    Attributes:
        length: int64 of shape S, from 1 to ``LONGEST``.
        backward: int64 bytes ``(*S, LONGEST)`` from the last one backwards; 0 before
            the first.
        forward: int64 bytes ``(*S, LONGEST)`` from the first one on; 0 after the last.
    """

    length: tf.Tensor
    backward: tf.Tensor
    forward: tf.Tensor

    def word(self, start: int, size: int = 8) -> tf.Tensor:
        """The bytes from ``start`` on as an int64; the first one is the lowest."""
        return _word(self.forward[..., start : start + size], size)

    def word_from_end(self, start: int, size: int = 8) -> tf.Tensor:
        """The bytes from ``start`` before the end on, in the same form."""
        return _word(self.backward[..., start - size : start][..., ::-1], size)


def decimal(x: tf.Tensor) -> Decimal:
    """The text of each number of a whole dtype, of any shape."""
    x = tf.cast(x, tf.int64)[..., tf.newaxis]
    powers = 10 ** np.arange(_DIGITS, dtype=np.int64)
    is_least = tf.equal(x, _LEAST)
    size = tf.abs(tf.where(is_least, tf.zeros_like(x), x))
    digits = tf.math.floormod(tf.math.floordiv(size, powers), 10)  # (*S, 19)
    of_least = np.array([int(digit) for digit in str(-_LEAST)[::-1]], np.int64)
    digits = tf.where(is_least, of_least, digits)
    longer = tf.reduce_sum(tf.cast(size >= powers[1:], tf.int64), -1, keepdims=True)
    count = tf.where(is_least, tf.constant(_DIGITS, tf.int64), longer + 1)
    sign = tf.cast(x < 0, tf.int64)
    places = np.arange(LONGEST, dtype=np.int64)
    shown = tf.concat([digits + ord("0"), tf.zeros_like(x)], -1)
    shown *= tf.cast(places < count, tf.int64)
    backward = shown + sign * ord("-") * tf.cast(tf.equal(places, count), tf.int64)
    length = count + sign
    # The byte, counted from the end, of each place: (*S, place, from the end).
    is_there = tf.equal((length - 1 - places)[..., tf.newaxis], places)
    forward = backward[..., tf.newaxis, :] * tf.cast(is_there, tf.int64)
    return Decimal(length[..., 0], backward, tf.reduce_sum(forward, -1))


def _word(taken: tf.Tensor, size: int) -> tf.Tensor:
    # The sums are in two halves, because ONNX Runtime adds int64 in float64, which has
    # 53 bits.
    weights = 256 ** np.arange(4, dtype=np.int64)
    low = tf.reduce_sum(taken[..., :4] * weights[: min(size, 4)], -1)
    if size <= 4:
        return low
    return low + tf.reduce_sum(taken[..., 4:] * weights[: size - 4], -1) * (1 << 32)
