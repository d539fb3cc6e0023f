"""``BiasAdd`` along another axis than its convolution's channels.

Keras 3 adds a bias along the last axis wherever that is as long as the bias, even of a
convolution with channels first (``keras.ops.add`` guesses). tf2onnx fuses the two and
adds it to the channels: other numbers, and no error.
"""

from __future__ import annotations

import tensorflow as tf

from exporter.rewrites.registry import lowering

_PASSING = ("Identity", "BiasAdd")


@lowering("BiasAdd")
def lower_bias_add(
    operation: tf.Operation, x: tf.Tensor, bias: tf.Tensor
) -> tf.Tensor | None:
    """A plain addition, where the axis is not the convolution's."""
    if operation.get_attr("data_format") != b"NHWC":
        return None
    before = x.op
    while before.type in _PASSING:
        before = before.inputs[0].op
    if "data_format" not in before.node_def.attr:
        return None
    if not before.get_attr("data_format").startswith(b"NC"):
        return None
    return x + bias
