"""Division with a remainder, which tf2onnx 1.17 computes wrongly.

For whole numbers tf2onnx rounds the quotient towards 0 where it should be floored: -7
// 2 becomes -3 and -7 % 2 becomes -1. For real numbers it writes ``x - y * trunc(x /
y)``, which is wrong by y where x / y rounds to a whole number. ONNX's Mod has the exact
remainders.

ONNX Runtime 1.31 divides whole numbers by the processor's own instruction, which ends
the process if the least number is divided by -1. Its remainder of int64 with the sign
of x is computed in doubles.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import tensorflow as tf
from onnx import TensorProto
from tf2onnx import utils

from exporter.rewrites.registry import handler, lowering

_SIGNED = (TensorProto.INT8, TensorProto.INT16, TensorProto.INT32, TensorProto.INT64)


@handler("TruncateMod")
def handle_truncated(graph: Any, node: Any) -> None:
    """Use ``Mod`` with the sign of x, as in C; for real numbers."""
    node.type = "Mod"
    node.set_attr("fmod", 1)


@handler("FloorMod")
def handle_floored(graph: Any, node: Any) -> None:
    """Use ``Mod`` with the sign of y; only for whole numbers."""
    node.type = "Mod"
    _divide_by_one(graph, node)


@handler("TruncateDiv")
def handle_division(graph: Any, node: Any) -> None:
    """Use ``Div``, which rounds towards 0."""
    node.type = "Div"
    is_minus_one = _divide_by_one(graph, node)
    if is_minus_one is None:
        return
    dtype, quotient = graph.get_dtype(node.input[0]), node.output[0]
    sign = _where(graph, is_minus_one, -1, _constant(graph, 1, dtype), dtype)
    signed = graph.insert_new_node_on_output(
        "Mul", quotient, name=utils.make_name(node.name), inputs=[quotient, sign]
    )
    graph.set_dtype(signed.output[0], dtype)
    graph.copy_shape(quotient, signed.output[0])


def _divide_by_one(graph: Any, node: Any) -> str | None:
    """Replace a divisor of -1 by 1, and return the places."""
    divisor = node.input[1]
    dtype = graph.get_dtype(divisor)
    known = node.inputs[1]
    if dtype not in _SIGNED or (
        known.is_const() and -1 not in np.ravel(known.get_tensor_value())
    ):
        return None
    minus_one = _constant(graph, -1, dtype)
    is_minus_one: str = graph.make_node("Equal", [divisor, minus_one]).output[0]
    safe = _where(graph, is_minus_one, 1, divisor, dtype)
    graph.replace_input(node, divisor, safe, 1)
    return is_minus_one


def _where(graph: Any, condition: str, value: int, other: str, dtype: int) -> str:
    chosen = [condition, _constant(graph, value, dtype), other]
    name: str = graph.make_node("Where", chosen, dtypes=[dtype]).output[0]
    return name


def _constant(graph: Any, value: int, dtype: int) -> str:
    array = np.array(value, utils.map_onnx_to_numpy_type(dtype))
    name: str = graph.make_const(utils.make_name("divisor"), array).output[0]
    return name


@lowering("FloorMod")
def lower_floor_mod(
    operation: tf.Operation, x: tf.Tensor, y: tf.Tensor
) -> tf.Tensor | None:
    """Take the truncated remainder of real numbers, with the sign of y."""
    if not x.dtype.is_floating:
        return None
    rest = tf.raw_ops.TruncateMod(x=x, y=y)
    is_other = tf.logical_and(tf.not_equal(rest, 0), tf.not_equal(rest < 0, y < 0))
    return tf.where(is_other, rest + y, rest)


@lowering("FloorDiv")
def lower_floor_div(
    operation: tf.Operation, x: tf.Tensor, y: tf.Tensor
) -> tf.Tensor | None:
    """Subtract one from the quotient if the remainder's sign is not y's."""
    if x.dtype.is_floating:
        return None
    quotient = tf.raw_ops.TruncateDiv(x=x, y=y)
    if x.dtype.is_unsigned:
        return quotient
    rest = x - quotient * y
    is_other = tf.logical_and(tf.not_equal(rest, 0), tf.not_equal(rest < 0, y < 0))
    return quotient - tf.cast(is_other, x.dtype)


@lowering("TruncateMod")
def lower_truncate_mod(
    operation: tf.Operation, x: tf.Tensor, y: tf.Tensor
) -> tf.Tensor | None:
    """Return the rest of whole numbers after the truncated quotient."""
    if x.dtype.is_floating:
        return None
    return x - tf.raw_ops.TruncateDiv(x=x, y=y) * y


@lowering("Div")
def lower_div(operation: tf.Operation, x: tf.Tensor, y: tf.Tensor) -> tf.Tensor | None:
    """Round TensorFlow 1's quotient of whole numbers towards 0."""
    if x.dtype.is_floating:
        return None
    return tf.raw_ops.TruncateDiv(x=x, y=y)
