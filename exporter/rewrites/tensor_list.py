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
    if held.dtype == tf.variant:
        if held.op.type != "TensorListReserve":
            return None
        count = held.op.inputs[1]
        shape = tf.concat([[count], tf.shape(item, count.dtype)], 0)
        held = tf.zeros(shape, item.dtype)
        held.set_shape([None, *item.shape])
    changed = tf.tensor_scatter_nd_update(held, [[index]], item[tf.newaxis])
    changed.set_shape(held.shape)
    return changed


@lowering("TensorListGetItem")
def lower_get(
    operation: tf.Operation, held: tf.Tensor, index: tf.Tensor, shape: tf.Tensor
) -> tf.Tensor | None:
    """One element."""
    return None if held.dtype == tf.variant else tf.gather(held, index)


@lowering("TensorListStack")
def lower_stack(
    operation: tf.Operation, held: tf.Tensor, shape: tf.Tensor
) -> tf.Tensor | None:
    """All of them."""
    return None if held.dtype == tf.variant else tf.identity(held)


@lowering("TensorListLength")
def lower_length(operation: tf.Operation, held: tf.Tensor) -> tf.Tensor | None:
    """How many there are."""
    return None if held.dtype == tf.variant else tf.shape(held)[0]
