"""``TensorArrayV3`` and what reads and writes it: TensorFlow 1's loops.

TensorFlow 2 writes ``TensorList`` operators in their place, which tf2onnx 1.17 converts
within loops. An array's handle and its flow, which orders its reads and writes, are one
list here.
"""

from __future__ import annotations

import tensorflow as tf
from tensorflow.core.framework import tensor_shape_pb2

from exporter.rewrites.registry import lowering


@lowering("TensorArrayV3")
def lower_array(operation: tf.Operation, size: tf.Tensor) -> list[tf.Tensor]:
    """An empty list, as handle and as flow."""
    reserved = tf.raw_ops.TensorListReserve(
        element_shape=_element_shape(operation),
        num_elements=size,
        element_dtype=operation.get_attr("dtype"),
    )
    return [reserved, reserved]


@lowering("TensorArrayScatterV3")
def lower_scatter(
    operation: tf.Operation,
    handle: tf.Tensor,
    indices: tf.Tensor,
    values: tf.Tensor,
    flow: tf.Tensor,
) -> tf.Tensor:
    """Fill a list; its places are all there once, as ``unstack`` writes them."""
    if not _is_count(operation.inputs[1]):
        values = tf.gather(values, tf.argsort(indices))
    return tf.raw_ops.TensorListFromTensor(
        tensor=values, element_shape=tf.shape(values)[1:]
    )


@lowering("TensorArrayReadV3")
def lower_read(
    operation: tf.Operation, handle: tf.Tensor, index: tf.Tensor, flow: tf.Tensor
) -> tf.Tensor:
    """One element."""
    element = tf.raw_ops.TensorListGetItem(
        input_handle=flow,
        index=index,
        element_shape=tf.constant(-1),
        element_dtype=operation.get_attr("dtype"),
    )
    element.set_shape(operation.outputs[0].shape)
    return element


@lowering("TensorArrayWriteV3")
def lower_write(
    operation: tf.Operation,
    handle: tf.Tensor,
    index: tf.Tensor,
    value: tf.Tensor,
    flow: tf.Tensor,
) -> tf.Tensor:
    """The list with one element changed."""
    return tf.raw_ops.TensorListSetItem(input_handle=flow, index=index, item=value)


@lowering("TensorArrayGatherV3")
def lower_gather(
    operation: tf.Operation, handle: tf.Tensor, indices: tf.Tensor, flow: tf.Tensor
) -> tf.Tensor:
    """Elements, one above the other."""
    stacked = tf.raw_ops.TensorListStack(
        input_handle=flow,
        element_shape=_element_shape(operation),
        element_dtype=operation.get_attr("dtype"),
        num_elements=-1,
    )
    if not _is_count(operation.inputs[1]):
        stacked = tf.gather(stacked, indices)
    return stacked


@lowering("TensorArraySizeV3")
def lower_size(
    operation: tf.Operation, handle: tf.Tensor, flow: tf.Tensor
) -> tf.Tensor:
    """How many elements it has place for."""
    return tf.raw_ops.TensorListLength(input_handle=flow)


def _element_shape(operation: tf.Operation) -> tf.Tensor:
    for name in ("element_shape", "element_shape_except0"):
        if name in operation.node_def.attr:
            told: tensor_shape_pb2.TensorShapeProto = operation.get_attr(name)
            shape = tf.TensorShape(told)
            if shape.rank is not None:
                return tf.constant([-1 if n is None else n for n in shape], tf.int32)
    return tf.constant(-1)


def _is_count(indices: tf.Tensor) -> bool:
    """Whether it is 0, 1, 2, …"""
    if indices.op.type != "Range":
        return False
    start, _, step = indices.op.inputs
    return bool(tf.get_static_value(start) == 0 and tf.get_static_value(step) == 1)
