"""``Atan2``: tf2onnx 1.17 takes y = -0.0 for 0.0, which is on the cut's other side."""

from __future__ import annotations

import math

import tensorflow as tf

from exporter.rewrites.registry import lowering


@lowering("Atan2")
def lower_atan2(operation: tf.Operation, y: tf.Tensor, x: tf.Tensor) -> tf.Tensor:
    """The angle of (x, y), -pi..pi."""
    zero, one = tf.constant(0, x.dtype), tf.constant(1, x.dtype)
    pi = tf.constant(math.pi, x.dtype)
    # 1 / -0.0 is minus infinity: the only way to see the sign of a zero.
    is_below = tf.logical_or(y < 0, tf.logical_and(tf.equal(y, 0), one / y < 0))
    is_left = tf.logical_or(x < 0, tf.logical_and(tf.equal(x, 0), one / x < 0))
    up = tf.abs(y)
    wide = tf.abs(x)
    is_steep = up > wide
    least, most = tf.minimum(up, wide), tf.maximum(up, wide)
    # Of the same two, 0 or infinity, the quotient is NaN; the angle is 0 or pi / 4.
    same = tf.where(tf.equal(up, 0), zero, one)
    ratio = tf.where(tf.equal(up, wide), same, least / most)
    angle = tf.atan(ratio)
    angle = tf.where(is_steep, pi / 2 - angle, angle)
    angle = tf.where(is_left, pi - angle, angle)
    # A product, for -0.0: ONNX Runtime answers Neg of 0 with 0.
    angle = angle * tf.where(is_below, -one, one)
    is_nan = tf.logical_or(tf.math.is_nan(x), tf.math.is_nan(y))
    return tf.where(is_nan, x + y, angle)
