"""``Select``: tf2onnx 1.17 multiplies by 0 and 1 and adds, "faster than Where".

Numbers that were not chosen then spoil the result, because 0 times NaN or infinity is
NaN: the usual guard ``where(x == 0, 1, sin(x) / x)`` answers NaN. ONNX's Where is
right.
"""

from __future__ import annotations

from typing import Any

import tensorflow as tf

from exporter.rewrites.registry import handler, lowering


@lowering("Select")
def lower_select(
    operation: tf.Operation, condition: tf.Tensor, x: tf.Tensor, y: tf.Tensor
) -> tf.Tensor:
    """Use ``SelectV2``, with a condition for each row spread over the row."""
    missing = (x.shape.rank or 0) - (condition.shape.rank or 0)
    if condition.shape.rank == 1 and missing > 0:
        condition = tf.reshape(condition, [-1] + [1] * missing)
    return tf.where(condition, x, y)


@handler("SelectV2")
def handle_select(graph: Any, node: Any) -> None:
    """Use ONNX's ``Where``."""
    node.type = "Where"
