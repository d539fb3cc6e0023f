"""Products and quotients that a 0 decides: ``xlogy``, ``multiply_no_nan``, ….

tf2onnx 1.17 leaves them; see tensorflow/core/kernels/cwise_ops.h.
"""

from __future__ import annotations

import tensorflow as tf

from exporter.rewrites.registry import lowering


@lowering("Xlogy")
def lower_xlogy(operation: tf.Operation, x: tf.Tensor, y: tf.Tensor) -> tf.Tensor:
    """``x log y``, and 0 where x is 0."""
    return _unless_zero(x, x * tf.math.log(y))


@lowering("Xlog1py")
def lower_xlog1py(operation: tf.Operation, x: tf.Tensor, y: tf.Tensor) -> tf.Tensor:
    """``x log (1 + y)``, and 0 where x is 0."""
    return _unless_zero(x, x * tf.math.log1p(y))


@lowering("Xdivy")
def lower_xdivy(operation: tf.Operation, x: tf.Tensor, y: tf.Tensor) -> tf.Tensor:
    """``x / y``, and 0 where x is 0."""
    return _unless_zero(x, x / y)


@lowering("MulNoNan")
def lower_multiply(operation: tf.Operation, x: tf.Tensor, y: tf.Tensor) -> tf.Tensor:
    """``x y``, and 0 where y is 0, even if x is infinite or no number."""
    return _unless_zero(y, x * y)


def _unless_zero(decides: tf.Tensor, value: tf.Tensor) -> tf.Tensor:
    return tf.where(tf.equal(decides, 0), tf.zeros([], value.dtype), value)
