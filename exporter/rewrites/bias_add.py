"""``BiasAdd`` where tf2onnx must not put it into the convolution before it.

Keras 3 adds a bias along the last axis wherever that is as long as the bias, even of a
convolution with channels first (``keras.ops.add`` guesses). tf2onnx fuses the two and
adds it to the channels: other numbers, and no error. Of a transposed convolution of
free sides it computes when it runs how many zeros are missing at the end, and puts them
after the fused bias, which they then lack.
"""

from __future__ import annotations

import tensorflow as tf

from exporter.rewrites.registry import lowering

_PASSING = ("Identity", "BiasAdd")


@lowering("BiasAdd")
def lower_bias_add(
    operation: tf.Operation, x: tf.Tensor, bias: tf.Tensor
) -> tf.Tensor | None:
    """A plain addition, where the two cannot be one."""
    if operation.get_attr("data_format") != b"NHWC":
        return None
    before = x.op
    while before.type in _PASSING:
        before = before.inputs[0].op
    if "data_format" not in before.node_def.attr:
        return None
    is_first = before.get_attr("data_format").startswith(b"NC")
    is_widened = (
        before.type == "Conv2DBackpropInput"
        and not before.outputs[0].shape[1:3].is_fully_defined()
    )
    return x + bias if is_first or is_widened else None
