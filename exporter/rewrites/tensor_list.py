"""``TensorListSetItem`` before a loop, as tf.scan writes its first element.

tf2onnx 1.17 converts a list that only a loop fills, one element in each turn, and
leaves other lists in the graph. A list that is written outside of a loop is one tensor
here, which a loop carries like any other.
"""

from __future__ import annotations

import tensorflow as tf

from exporter.rewrites.registry import lowering


@lowering("TensorListSetItem")
def lower_set(
    operation: tf.Operation, held: tf.Tensor, index: tf.Tensor, item: tf.Tensor
) -> tf.Tensor | None:
    """The list with one element changed; None for a list that a loop fills.

    A list of ``dynamic_size`` grows up to an element whose place is known.
    """
    elements = _elements(held)
    if held.op.type == "TensorListReserve":
        count = held.op.inputs[1]
        shape = tf.concat([[count], tf.shape(item, count.dtype)], 0)
        elements = tf.zeros(shape, item.dtype)
        elements.set_shape([None, *item.shape])
    if elements is None:
        return None
    place = tf.get_static_value(index)
    if place is not None and operation.get_attr("resize_if_index_out_of_bounds"):
        missing = tf.maximum(place + 1 - tf.shape(elements)[0], 0)
        others = tf.zeros(tf.concat([[missing], tf.shape(item)], 0), item.dtype)
        elements = tf.concat([elements, others], 0)
    changed = tf.tensor_scatter_nd_update(elements, [[index]], item[tf.newaxis])
    changed.set_shape(elements.shape)
    return changed


@lowering("TensorListGetItem")
def lower_get(
    operation: tf.Operation, held: tf.Tensor, index: tf.Tensor, shape: tf.Tensor
) -> tf.Tensor | None:
    """One element of a list."""
    elements = _elements(held)
    return None if elements is None else tf.gather(elements, index)


@lowering("TensorListStack")
def lower_stack(
    operation: tf.Operation, held: tf.Tensor, shape: tf.Tensor
) -> tf.Tensor | None:
    """All elements of a list in one tensor."""
    elements = _elements(held)
    return None if elements is None else tf.identity(elements)


@lowering("TensorListLength")
def lower_length(operation: tf.Operation, held: tf.Tensor) -> tf.Tensor | None:
    """The number of elements, an int32 scalar."""
    elements = _elements(held)
    return None if elements is None else tf.shape(elements)[0]


def _elements(held: tf.Tensor) -> tf.Tensor | None:
    """The tensor of a list's elements; None for a list that a loop fills."""
    if held.op.type == "TensorListFromTensor":
        return held.op.inputs[0]
    return None if held.dtype == tf.variant else held
