"""Remainders of real numbers: tf2onnx 1.17 writes ``x - y * trunc(x / y)``.

Where x / y rounds to a whole number that remainder is off by y. ONNX's Mod has the
exact one.
"""

from __future__ import annotations

from typing import Any

import tensorflow as tf

from exporter.rewrites.registry import handler, lowering


@handler("TruncateMod")
def handle_truncated(graph: Any, node: Any) -> None:
    """``Mod`` with the sign of x, as C has it."""
    node.type = "Mod"
    node.set_attr("fmod", 1)


@lowering("FloorMod")
def lower_floored(
    operation: tf.Operation, x: tf.Tensor, y: tf.Tensor
) -> tf.Tensor | None:
    """With the sign of y: by the truncated one. Of whole numbers tf2onnx has it."""
    if not x.dtype.is_floating:
        return None
    rest = tf.raw_ops.TruncateMod(x=x, y=y)
    is_other = tf.logical_and(tf.not_equal(rest, 0), tf.not_equal(rest < 0, y < 0))
    return tf.where(is_other, rest + y, rest)
