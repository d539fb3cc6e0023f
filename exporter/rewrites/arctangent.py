"""``Atan2``: tf2onnx 1.17 takes y = -0.0 for 0.0, on the other side of the cut."""

from __future__ import annotations

import math

import tensorflow as tf

from exporter.rewrites.registry import lowering


@lowering("Atan2")
def lower_atan2(operation: tf.Operation, y: tf.Tensor, x: tf.Tensor) -> tf.Tensor:
    """The angle of the points (x, y), from -pi to pi, of any shape."""
    zero, one = tf.constant(0, x.dtype), tf.constant(1, x.dtype)
    pi = tf.constant(math.pi, x.dtype)
    # Only 1 / -0.0, which is minus infinity, shows the sign of a zero.
    is_below = tf.logical_or(y < 0, tf.logical_and(tf.equal(y, 0), one / y < 0))
    is_left = tf.logical_or(x < 0, tf.logical_and(tf.equal(x, 0), one / x < 0))
    up = tf.abs(y)
    wide = tf.abs(x)
    is_steep = up > wide
    least, most = tf.minimum(up, wide), tf.maximum(up, wide)
    # If both are 0 or both are infinite, the quotient is NaN, but the angle is 0 or pi
    # / 4.
    same = tf.where(tf.equal(up, 0), zero, one)
    ratio = tf.where(tf.equal(up, wide), same, least / most)
    angle = tf.atan(ratio)
    angle = tf.where(is_steep, pi / 2 - angle, angle)
    angle = tf.where(is_left, pi - angle, angle)
    # A product gives -0.0; ONNX Runtime's Neg of 0 answers 0.
    angle = angle * tf.where(is_below, -one, one)
    is_nan = tf.logical_or(tf.math.is_nan(x), tf.math.is_nan(y))
    return tf.where(is_nan, x + y, angle)
