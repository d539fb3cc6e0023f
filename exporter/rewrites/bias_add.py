"""``BiasAdd`` where tf2onnx must not put it into the convolution before it.

Keras 3 adds a bias along the last axis if that is as long as the bias, also after a
convolution with channels first (``keras.ops.add`` guesses). tf2onnx joins the two and
adds the bias to the channels, which gives other numbers and no error. For a transposed
convolution with free sides it computes at run time how many zeros are missing at the
end, and puts them after the bias was added, so they lack the bias.
"""

from __future__ import annotations

import tensorflow as tf

from exporter.rewrites.registry import lowering

_PASSING = ("Identity", "BiasAdd")


@lowering("BiasAdd")
def lower_bias_add(
    operation: tf.Operation, x: tf.Tensor, bias: tf.Tensor
) -> tf.Tensor | None:
    """A plain addition if tf2onnx must not join the two; else None."""
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
