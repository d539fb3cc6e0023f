"""``Erfc``, which Keras 3's GELU exports to and tf2onnx 1.17 leaves as it is.

ONNX has Erf alone. Where x is large, 1 - erf(x) loses what erfc(x) keeps (below 6e-8 of
float32, which no parity tolerance sees); GELU multiplies it by x and so never shows it.
"""

from __future__ import annotations

import tensorflow as tf

from exporter.rewrites.registry import lowering


@lowering("Erfc")
def lower_erfc(operation: tf.Operation, x: tf.Tensor) -> tf.Tensor:
    """``1 - erf(x)``."""
    return tf.constant(1, x.dtype) - tf.math.erf(x)
