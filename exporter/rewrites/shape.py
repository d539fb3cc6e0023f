"""One side out of ``Shape``: a constant, where it is known though others are free.

``tf.shape(x)[-1]`` of ``(None, 6)`` is 6. TensorFlow leaves it to be computed, and
onnxslim 0.1.98 computes on with whole numbers alone: half of 5 is 2.
"""

from __future__ import annotations

import tensorflow as tf

from exporter.rewrites.registry import lowering


@lowering("StridedSlice")
def lower_side(
    operation: tf.Operation,
    x: tf.Tensor,
    begin: tf.Tensor,
    end: tf.Tensor,
    strides: tf.Tensor,
) -> tf.Tensor | None:
    """The side, or None where it is free or something else is cut."""
    if x.op.type != "Shape" or operation.get_attr("shrink_axis_mask") != 1:
        return None
    at = tf.get_static_value(begin)
    sides = x.op.inputs[0].shape
    if at is None or sides.rank is None or sides[int(at[0])] is None:
        return None
    return tf.constant(sides[int(at[0])], operation.outputs[0].dtype)
