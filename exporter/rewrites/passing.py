"""``Print``: TensorFlow 1's, which hands on what it prints.

tf2onnx 1.17 leaves it in the graph; a served model prints nothing.
"""

from __future__ import annotations

import tensorflow as tf

from exporter.rewrites.registry import lowering


@lowering("Print")
def lower_print(
    operation: tf.Operation, x: tf.Tensor, *printed: tf.Tensor
) -> tf.Tensor:
    """What is handed on."""
    return tf.identity(x)
