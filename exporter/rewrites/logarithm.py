"""``Log1p`` and ``Expm1``, which ONNX lacks.

log(1 + x) and exp(x) - 1 lose digits that are small against 1. These formulas keep them
(W. Kahan): they divide out the rounding of 1 + x.
"""

from __future__ import annotations

import tensorflow as tf

from exporter.rewrites.registry import lowering


@lowering("Log1p")
def lower_log1p(operation: tf.Operation, x: tf.Tensor) -> tf.Tensor:
    """The logarithm ``log(1 + x)``; x itself where 1 + x is 1."""
    one = tf.constant(1, x.dtype)
    whole = one + x
    # This part of x reached the sum. It must not be 0 below, where the other branch is
    # taken.
    part = whole - one
    exact = tf.math.log(whole) * (x / tf.where(tf.equal(part, 0), one, part))
    # At infinity and at -1 the quotient is NaN.
    exact = tf.where(tf.math.is_finite(exact), exact, tf.math.log(whole))
    return tf.where(tf.equal(part, 0), x, exact)


@lowering("Expm1")
def lower_expm1(operation: tf.Operation, x: tf.Tensor) -> tf.Tensor:
    """``exp(x) - 1``, as ``2 sinh(x / 2) exp(x / 2)`` for a small x."""
    half = x * tf.constant(0.5, x.dtype)
    # This is a Taylor series, because sinh in ONNX Runtime is a difference of
    # exponentials.
    square = half * half
    total = tf.ones_like(x)
    for divisor in (110.0, 72.0, 42.0, 20.0, 6.0):
        total = tf.constant(1, x.dtype) + square * total / tf.constant(divisor, x.dtype)
    near = tf.constant(2, x.dtype) * half * total * tf.exp(half)
    far = tf.exp(x) - tf.constant(1, x.dtype)
    return tf.where(tf.abs(x) < tf.constant(1, x.dtype), near, far)
