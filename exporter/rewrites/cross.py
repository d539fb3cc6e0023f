"""``Cross``, the product of vectors of three numbers, which ONNX lacks."""

from __future__ import annotations

import tensorflow as tf

from exporter.rewrites.registry import lowering


@lowering("Cross")
def lower_cross(operation: tf.Operation, a: tf.Tensor, b: tf.Tensor) -> tf.Tensor:
    """The product ``a x b`` of ``(..., 3)``."""
    a0, a1, a2 = tf.unstack(a, 3, axis=-1)
    b0, b1, b2 = tf.unstack(b, 3, axis=-1)
    return tf.stack([a1 * b2 - a2 * b1, a2 * b0 - a0 * b2, a0 * b1 - a1 * b0], -1)
