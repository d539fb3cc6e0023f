"""``NextAfter``: the next representable number, for which ONNX has no operator."""

from __future__ import annotations

import numpy as np
import tensorflow as tf

from exporter.rewrites.registry import lowering


@lowering("NextAfter")
def lower_next(operation: tf.Operation, x: tf.Tensor, to: tf.Tensor) -> tf.Tensor:
    """Add about half of the last digit, so that the sum's own rounding gives the next.

    S. Rump, P. Zimmermann, S. Boldo, G. Melquiond, "Computing predecessor and successor
    in rounding to nearest" (2009). Near 0 the step is the least number above 0.
    """
    limits = np.finfo(x.dtype.as_numpy_dtype)
    unit = float(limits.eps) / 2
    least = tf.constant(limits.smallest_subnormal, x.dtype)
    step = tf.abs(x) * tf.constant(unit * (1 + 2 * unit), x.dtype)
    is_small = tf.abs(x) < tf.constant(float(limits.tiny) / unit, x.dtype)
    step = tf.where(is_small, least, step)
    moved = tf.where(to > x, x + step, x - step)
    found = tf.where(tf.equal(x, to), to, moved)
    is_nan = tf.logical_or(tf.math.is_nan(x), tf.math.is_nan(to))
    return tf.where(is_nan, x + to, found)
