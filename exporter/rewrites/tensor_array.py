"""Write ``TensorArray`` of TensorFlow 1 as TensorFlow 2's lists.

tf2onnx knows these lists in loops.

An array is a handle and its ``flow``, a number that orders the operations on it. Here
the flow is the list itself, and the handle is not used.
"""

from __future__ import annotations

import tensorflow as tf

from exporter.rewrites.registry import lowering


@lowering("TensorArrayV3")
def lower_array(operation: tf.Operation, size: tf.Tensor) -> list[tf.Tensor]:
    """An empty list."""
    reserved = tf.raw_ops.TensorListReserve(
        element_shape=_shape_of(operation, "element_shape"),
        num_elements=size,
        element_dtype=operation.get_attr("dtype"),
    )
    return [tf.constant(0), reserved]


@lowering("TensorArrayScatterV3")
def lower_scatter(
    operation: tf.Operation,
    handle: tf.Tensor,
    places: tf.Tensor,
    values: tf.Tensor,
    flow: tf.Tensor,
) -> tf.Tensor:
    """A list of rows, each in its place; every place occurs exactly once."""
    if not _is_range(places):
        values = tf.gather(values, tf.argsort(places))
    row = tf.constant(_known(values.shape[1:]), tf.int32)
    return tf.raw_ops.TensorListFromTensor(tensor=values, element_shape=row)


@lowering("TensorArrayReadV3")
def lower_read(
    operation: tf.Operation, handle: tf.Tensor, place: tf.Tensor, flow: tf.Tensor
) -> tf.Tensor:
    """One item of a list."""
    return tf.raw_ops.TensorListGetItem(
        input_handle=flow,
        index=place,
        element_shape=tf.constant(_known(operation.outputs[0].shape), tf.int32),
        element_dtype=operation.outputs[0].dtype,
    )


@lowering("TensorArrayWriteV3")
def lower_write(
    operation: tf.Operation,
    handle: tf.Tensor,
    place: tf.Tensor,
    value: tf.Tensor,
    flow: tf.Tensor,
) -> tf.Tensor:
    """The list with another item in one place."""
    return tf.raw_ops.TensorListSetItem(input_handle=flow, index=place, item=value)


@lowering("TensorArrayGatherV3")
def lower_gather(
    operation: tf.Operation, handle: tf.Tensor, places: tf.Tensor, flow: tf.Tensor
) -> tf.Tensor:
    """All items of a list in one tensor, in the given order."""
    stacked = tf.raw_ops.TensorListStack(
        input_handle=flow,
        element_shape=_shape_of(operation, "element_shape"),
        element_dtype=operation.get_attr("dtype"),
        num_elements=-1,
    )
    return stacked if _is_range(places) else tf.gather(stacked, places)


@lowering("TensorArraySizeV3")
def lower_size(
    operation: tf.Operation, handle: tf.Tensor, flow: tf.Tensor
) -> tf.Tensor:
    """The number of items, an int32 scalar."""
    return tf.raw_ops.TensorListLength(input_handle=flow)


def _is_range(places: tf.Tensor) -> bool:
    """Whether it is all places in order, as ``stack`` and ``unstack`` ask for."""
    return bool(places.op.type == "Range")


def _shape_of(operation: tf.Operation, name: str) -> tf.Tensor:
    return tf.constant(_known(tf.TensorShape(operation.get_attr(name))), tf.int32)


def _known(shape: tf.TensorShape) -> int | list[int]:
    """A shape in the form of lists; -1 is an unknown side."""
    if shape.rank is None:
        return -1
    return [-1 if side is None else side for side in shape]
