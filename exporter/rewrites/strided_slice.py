"""``StridedSlice``: one side of a shape, and an ellipsis.

``tf.shape(x)[-1]`` of ``(None, 6)`` is 6. TensorFlow computes it at run time, and
operators that depend on it (the k of TopK) have no known shape. tf2onnx 1.17 also
counts an ellipsis that stands for no axis as one, as in ``x[..., ::-1, :]`` of a
matrix.
"""

from __future__ import annotations

import numpy as np
import tensorflow as tf

from exporter.rewrites.registry import lowering

_MASKS = ("begin_mask", "end_mask", "new_axis_mask", "shrink_axis_mask")


@lowering("StridedSlice")
def lower_strided_slice(
    operation: tf.Operation,
    x: tf.Tensor,
    begin: tf.Tensor,
    end: tf.Tensor,
    strides: tf.Tensor,
) -> tf.Tensor | None:
    """The known side, or a slice without an ellipsis; None if neither is there."""
    side = _side(operation, x, begin)
    if side is not None:
        return side
    mask = operation.get_attr("ellipsis_mask")
    count = begin.shape[0]
    if not mask or x.shape.rank is None or count is None:
        return None
    at: int = mask.bit_length() - 1
    masks = {name: operation.get_attr(name) for name in _MASKS}
    others = [i for i in range(count) if i != at]
    new = sum(masks["new_axis_mask"] >> i & 1 for i in others)
    axes: int = x.shape.rank - (len(others) - new)

    def spread(given: tf.Tensor, value: int) -> tf.Tensor:
        known = tf.get_static_value(given)
        if known is not None:
            # Nine operators fewer each time, in loops of hundreds of slices.
            filled = np.concatenate([known[:at], [value] * axes, known[at + 1 :]])
            return tf.constant(filled, given.dtype)
        filling = tf.fill([axes], tf.constant(value, given.dtype))
        return tf.concat([given[:at], filling, given[at + 1 :]], 0)

    def moved(bits: int, filling: bool) -> int:
        before = bits & ((1 << at) - 1)
        after = bits >> (at + 1) << (at + axes)
        filled: int = ((1 << axes) - 1) << at if filling else 0
        return before | after | filled

    return tf.raw_ops.StridedSlice(
        input=x,
        begin=spread(begin, 0),
        end=spread(end, 0),
        strides=spread(strides, 1),
        ellipsis_mask=0,
        **{name: moved(bits, name in _MASKS[:2]) for name, bits in masks.items()},
    )


def _side(operation: tf.Operation, x: tf.Tensor, begin: tf.Tensor) -> tf.Tensor | None:
    """One side of a ``Shape``, if it is known."""
    if x.op.type != "Shape" or operation.get_attr("shrink_axis_mask") != 1:
        return None
    at = tf.get_static_value(begin)
    sides = x.op.inputs[0].shape
    if at is None or sides.rank is None or sides[int(at[0])] is None:
        return None
    return tf.constant(sides[int(at[0])], operation.outputs[0].dtype)
