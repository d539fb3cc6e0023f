"""Division with a remainder, which tf2onnx 1.17 has wrong.

Of whole numbers it takes the quotient that is rounded towards 0 for the floored one:
-7 // 2 is -3 and -7 % 2 is -1. Of real ones it writes ``x - y * trunc(x / y)``, which
is off by y where x / y rounds to a whole number. ONNX's Mod has the exact remainders.
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


@handler("FloorMod")
def handle_floored(graph: Any, node: Any) -> None:
    """``Mod`` with the sign of y; of whole numbers only."""
    node.type = "Mod"


@handler("TruncateDiv")
def handle_division(graph: Any, node: Any) -> None:
    """``Div``, which is rounded towards 0."""
    node.type = "Div"


@lowering("FloorMod")
def lower_floor_mod(
    operation: tf.Operation, x: tf.Tensor, y: tf.Tensor
) -> tf.Tensor | None:
    """Of real numbers: by the truncated one, made to have the sign of y."""
    if not x.dtype.is_floating:
        return None
    rest = tf.raw_ops.TruncateMod(x=x, y=y)
    is_other = tf.logical_and(tf.not_equal(rest, 0), tf.not_equal(rest < 0, y < 0))
    return tf.where(is_other, rest + y, rest)


@lowering("FloorDiv")
def lower_floor_div(
    operation: tf.Operation, x: tf.Tensor, y: tf.Tensor
) -> tf.Tensor | None:
    """Of whole numbers: what is left without the remainder divides exactly."""
    if x.dtype.is_floating:
        return None
    return tf.raw_ops.TruncateDiv(x=x - tf.math.floormod(x, y), y=y)
