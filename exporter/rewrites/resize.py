"""``ResizeBilinear`` and ``ResizeNearestNeighbor`` to sizes, not by scales.

tf2onnx 1.17 divides the sizes and writes the quotient in float32. 14 / 10 is then a
little less than 1.4, and ONNX rounds 13.99 pixels down to 13. It also ignores the
dtypes: TensorFlow resizes bytes bilinearly to float32.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import tensorflow as tf
from onnx import TensorProto
from tf2onnx import constants, utils

from exporter.rewrites.registry import handler, lowering

# ONNX Runtime's Resize takes these dtypes.
_RESIZED = (tf.float32, tf.int32, tf.uint8)


@lowering("ResizeBilinear")
def lower_bilinear(
    operation: tf.Operation, images: tf.Tensor, size: tf.Tensor
) -> tf.Tensor | None:
    """Resize in float32, the dtype of the answer for every dtype of images."""
    if images.dtype == tf.float32:
        return None
    return tf.raw_ops.ResizeBilinear(
        images=tf.cast(images, tf.float32),
        size=size,
        align_corners=operation.get_attr("align_corners"),
        half_pixel_centers=operation.get_attr("half_pixel_centers"),
    )


@lowering("ResizeNearestNeighbor")
def lower_nearest(
    operation: tf.Operation, images: tf.Tensor, size: tf.Tensor
) -> tf.Tensor | None:
    """Gather rows and columns by exactly the indices that TensorFlow computes.

    If a pixel of the answer lies between two pixels, the last bit of a quotient
    decides, and ONNX Runtime divides differently. Enlarging by a whole number has no
    such pixels, and is left to Resize.
    """
    if images.dtype in _RESIZED and _is_multiple(operation):
        return None
    is_aligned = operation.get_attr("align_corners")
    is_half = operation.get_attr("half_pixel_centers")
    for axis in (1, 2):
        length = tf.cast(tf.shape(images)[axis], tf.float32)
        wanted = tf.cast(size[axis - 1], tf.float32)
        step = length / wanted
        if is_aligned:
            between = (length - 1.0) / tf.maximum(wanted - 1.0, 1.0)
            step = tf.where(wanted > 1.0, between, step)
        place = (tf.range(wanted) + (0.5 if is_half else 0.0)) * step
        nearest = tf.floor(place + 0.5) if is_aligned else tf.floor(place)
        index = tf.cast(tf.minimum(nearest, length - 1.0), tf.int32)
        images = tf.gather(images, index, axis=axis)
    return images


def _is_multiple(operation: tf.Operation) -> bool:
    if operation.get_attr("align_corners"):
        return False
    sides = zip(
        operation.inputs[0].shape[1:3], operation.outputs[0].shape[1:3], strict=True
    )
    return all(old and new and new % old == 0 for old, new in sides)


@handler("ResizeBilinear", "ResizeNearestNeighbor")
def handle_resize(graph: Any, node: Any) -> None:
    """Use ONNX's Resize of ``(N, C, H, W)``."""
    is_nearest = node.type == "ResizeNearestNeighbor"
    how = "asymmetric"
    if node.get_attr_value("align_corners"):
        how = "align_corners"
    elif node.get_attr_value("half_pixel_centers"):
        how = "tf_half_pixel_for_nn" if is_nearest else "half_pixel"
    attributes = {
        "mode": "nearest" if is_nearest else "linear",
        "nearest_mode": "floor",
        "coordinate_transformation_mode": how,
    }
    shapes, dtypes = node.output_shapes, node.output_dtypes
    images = graph.make_node(
        "Transpose", [node.input[0]], {"perm": constants.NHWC_TO_NCHW}
    ).output[0]
    target = _scales(graph, node) or _sizes(graph, node, images)
    resized = graph.make_node("Resize", [images, "", *target], attributes)
    graph.remove_node(node.name)
    graph.make_node(
        "Transpose",
        resized.output,
        {"perm": constants.NCHW_TO_NHWC},
        name=node.name,
        outputs=node.output,
        shapes=shapes,
        dtypes=dtypes,
    )


def _scales(graph: Any, node: Any) -> list[str]:
    """Scales that float32 holds exactly; the batch size need not be known."""
    shape = graph.get_shape(node.input[0])
    if not shape or not node.inputs[1].is_const() or -1 in shape[1:3]:
        return []
    wanted = node.inputs[1].get_tensor_value(as_list=False)
    scales = np.array([1.0, 1.0, *(wanted / np.array(shape[1:3]))], np.float32)
    if not np.array_equal(scales[2:].astype(np.float64) * shape[1:3], wanted):
        return []
    return [graph.make_const(utils.make_name("scales"), scales).output[0]]


def _sizes(graph: Any, node: Any, images: str) -> list[str]:
    """Empty scales, and the sizes; unchanged sizes are read from the images.

    All four sizes are given, and not two with ``axes``: ONNX Runtime 1.31 loses
    ``axes`` when it moves the transposes, and onnxslim 0.1.98 loses the other two
    sizes.
    """
    bounds = [
        graph.make_const(utils.make_name(name), np.array([at], np.int64)).output[0]
        for name, at in (("start", 0), ("end", 2))
    ]
    shape = graph.make_node("Shape", [images]).output[0]
    kept = graph.make_node("Slice", [shape, *bounds]).output[0]
    wanted = graph.make_node("Cast", [node.input[1]], {"to": TensorProto.INT64})
    sizes = graph.make_node("Concat", [kept, wanted.output[0]], {"axis": 0})
    return ["", sizes.output[0]]
