"""Whole numbers as TensorFlow writes them (``AsString``): their bytes, as numbers."""

from __future__ import annotations

from dataclasses import dataclass

import tensorflow as tf

# Of an int64: a sign and 19 digits.
LONGEST = 20
_DIGITS = LONGEST - 1


@dataclass(frozen=True)
class Decimal:
    """The texts of numbers of any shape S.

    Attributes:
        length: int64 of shape S, 1 to ``LONGEST``.
        backward: int64 bytes, each of shape S: the last, the last but one, …; 0 before
            the first.
        forward: the same from the first on; 0 after the last.
    """

    length: tf.Tensor
    backward: list[tf.Tensor]
    forward: list[tf.Tensor]

    def word(self, start: int, size: int = 8) -> tf.Tensor:
        """Some bytes from ``start`` on, the first of them the lowest of the word."""
        return _word([self.forward[at] for at in range(start, start + size)])

    def word_from_end(self, start: int, size: int = 8) -> tf.Tensor:
        """The same of bytes from ``start`` before the end on."""
        return _word([self.backward[start - 1 - at] for at in range(size)])


def decimal(x: tf.Tensor) -> Decimal:
    """The text of each number of a whole dtype."""
    x = tf.cast(x, tf.int64)
    is_negative = x < 0
    # One by one, as the least int64 has no opposite: its remainders are negative.
    rest, digits = x, []
    for _ in range(_DIGITS):
        quotient = tf.where(is_negative, -_less(rest), rest // 10)
        digits.append(tf.abs(rest - quotient * 10))
        rest = quotient
    sign = tf.cast(is_negative, tf.int64)
    powers = [10**power for power in range(1, _DIGITS)]
    count = tf.ones_like(x)
    for power in powers:
        count += tf.cast(tf.logical_or(x >= power, x <= -power), tf.int64)
    length = count + sign
    backward = []
    for place in range(LONGEST):
        byte = tf.zeros_like(x)
        if place < _DIGITS:
            byte = tf.where(count > place, digits[place] + ord("0"), byte)
        is_sign = tf.logical_and(is_negative, tf.equal(count, place))
        backward.append(tf.where(is_sign, tf.constant(ord("-"), tf.int64), byte))
    forward = []
    for place in range(LONGEST):
        byte = tf.zeros_like(x)
        for long in range(place + 1, LONGEST + 1):
            byte = tf.where(tf.equal(length, long), backward[long - 1 - place], byte)
        forward.append(byte)
    return Decimal(length, backward, forward)


def _less(x: tf.Tensor) -> tf.Tensor:
    """Of a negative number, the opposite's tenth, floored."""
    # x + 1 has an opposite; of x itself it is one more.
    opposite = -(x + 1)
    return opposite // 10 + tf.cast(tf.equal(opposite % 10, 9), tf.int64)


def _word(taken: list[tf.Tensor]) -> tf.Tensor:
    return tf.add_n([byte * (1 << (8 * at)) for at, byte in enumerate(taken)])
