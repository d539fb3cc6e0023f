"""``Erfc``, which Keras 3's GELU exports to and tf2onnx 1.17 leaves as it is.

ONNX only has Erf. For a large x, 1 - erf(x) loses digits that erfc(x) keeps (below 6e-8
in float32, which is less than any tolerance of the proof). GELU multiplies the result
by x, and so never shows the loss.
"""

from __future__ import annotations

import tensorflow as tf

from exporter.rewrites.registry import lowering


@lowering("Erfc")
def lower_erfc(operation: tf.Operation, x: tf.Tensor) -> tf.Tensor:
    """The number ``1 - erf(x)``, of any shape."""
    return tf.constant(1, x.dtype) - tf.math.erf(x)
