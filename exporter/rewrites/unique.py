"""``Unique`` in all forms, of which tf2onnx 1.17 has one, and ``InvertPermutation``.

ONNX's Unique has an axis, and counts. tf2onnx gives ``InvertPermutation`` the wrong
dtype.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import tensorflow as tf
from onnx import TensorProto

from exporter.rewrites.registry import handler, lowering


@handler("Unique", "UniqueV2", "UniqueWithCounts", "UniqueWithCountsV2")
def handle_unique(graph: Any, node: Any) -> None:
    """The values in their first order, the place of each, and how often it occurs."""
    attributes = {"sorted": 0}
    if node.type.endswith("V2"):
        axis = np.asarray(node.inputs[1].get_tensor_value(as_list=False)).reshape(-1)
        if axis.size:
            attributes["axis"] = int(axis[0])
    outputs = list(node.output)
    dtypes = [graph.get_dtype(name) for name in outputs]
    shapes = [graph.get_shape(name) for name in outputs]
    graph.remove_node(node.name)
    unique = graph.make_node(
        "Unique", [node.input[0]], attr=attributes, output_count=4, name=node.name,
        dtypes=[dtypes[0], *[TensorProto.INT64] * 3], op_name_scope=node.name,
    )  # fmt: skip
    # ONNX answers Y, the first places, the inverse and the counts; TensorFlow has no
    # first places.
    made = [unique.output[0], unique.output[2], unique.output[3]]
    for name, given, dtype, shape in zip(outputs, made, dtypes, shapes, strict=False):
        graph.make_node(
            "Cast", [given], attr={"to": dtype}, outputs=[name], name=name + "/cast",
            dtypes=[dtype], shapes=[shape],
        )  # fmt: skip


@lowering("InvertPermutation")
def lower_inverse(operation: tf.Operation, order: tf.Tensor) -> tf.Tensor:
    """The place at which each number stands."""
    size = tf.size(order, order.dtype)
    return tf.scatter_nd(order[:, tf.newaxis], tf.range(size), size[tf.newaxis])
