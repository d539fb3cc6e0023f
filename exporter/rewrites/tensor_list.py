"""``TensorListSetItem`` before a loop: what tf.scan writes of its first element.

tf2onnx 1.17 converts a list that a loop alone fills, one element a turn, and leaves
others in the graph. A list that is written outside of a loop is one tensor here, which
loops carry as any other.
"""

from __future__ import annotations

import tensorflow as tf

from exporter.rewrites.registry import lowering


@lowering("TensorListSetItem")
def lower_set(
    operation: tf.Operation, held: tf.Tensor, index: tf.Tensor, item: tf.Tensor
) -> tf.Tensor | None:
    """The list with one element changed; None for one that a loop fills."""
    elements = _elements(held)
    if held.op.type == "TensorListReserve":
        count = held.op.inputs[1]
        shape = tf.concat([[count], tf.shape(item, count.dtype)], 0)
        elements = tf.zeros(shape, item.dtype)
        elements.set_shape([None, *item.shape])
    if elements is None:
        return None
    changed = tf.tensor_scatter_nd_update(elements, [[index]], item[tf.newaxis])
    changed.set_shape(elements.shape)
    return changed


@lowering("TensorListGetItem")
def lower_get(
    operation: tf.Operation, held: tf.Tensor, index: tf.Tensor, shape: tf.Tensor
) -> tf.Tensor | None:
    """One element."""
    elements = _elements(held)
    return None if elements is None else tf.gather(elements, index)


@lowering("TensorListStack")
def lower_stack(
    operation: tf.Operation, held: tf.Tensor, shape: tf.Tensor
) -> tf.Tensor | None:
    """All of them."""
    elements = _elements(held)
    return None if elements is None else tf.identity(elements)


@lowering("TensorListLength")
def lower_length(operation: tf.Operation, held: tf.Tensor) -> tf.Tensor | None:
    """How many there are."""
    elements = _elements(held)
    return None if elements is None else tf.shape(elements)[0]


def _elements(held: tf.Tensor) -> tf.Tensor | None:
    """The tensor that a list is, or is made of; None for one that a loop fills."""
    if held.op.type == "TensorListFromTensor":
        return held.op.inputs[0]
    return None if held.dtype == tf.variant else held
