"""``Print`` of TensorFlow 1, which prints its input and returns it.

tf2onnx 1.17 leaves it in the graph; a served model prints nothing.
"""

from __future__ import annotations

import tensorflow as tf

from exporter.rewrites.registry import lowering


@lowering("Print")
def lower_print(
    operation: tf.Operation, x: tf.Tensor, *printed: tf.Tensor
) -> tf.Tensor:
    """Return the input unchanged."""
    return tf.identity(x)
