"""How much a model computes: twice its multiplications, for one item.

Counted are the operators that hold nearly all of it: convolutions, matrix products and
recurrent cells. Each multiplication with its addition is two operations. Elementwise
operators, poolings, normalizations and biases are not counted; nor is what runs inside
a loop or a branch, whose turns no one knows beforehand.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

import onnx

Shape = tuple[int, ...]

# Matrices that one step of a recurrent cell multiplies its input and its state with.
_GATES = {"LSTM": 4, "GRU": 3, "RNN": 1}
_PRODUCTS = ("MatMul", "MatMulInteger", "QLinearMatMul")
_CONVOLUTIONS = ("Conv", "ConvInteger", "QLinearConv")


def count_flops(model: onnx.ModelProto) -> int | None:
    """Operations for one item.

    Args:
        model: its external data need not be loaded.

    Returns:
        The sum; None if a counted operator's shape is free besides the batch, and so
        the sum is of no fixed size.
    """
    shapes = _shapes(model)
    total = 0
    for node in model.graph.node:
        try:
            total += _operations(node, shapes)
        except KeyError:
            return None
    return total


def _operations(node: onnx.NodeProto, shapes: Mapping[str, Shape]) -> int:
    """Raises KeyError if a shape is not known."""
    if node.op_type in _CONVOLUTIONS:
        # QLinearConv: x, its scale and zero point, then w.
        weights = shapes[node.input[3 if node.op_type == "QLinearConv" else 1]]
        # (out, in / group, kernel …): so many products a number of the output.
        return 2 * math.prod(shapes[node.output[0]]) * math.prod(weights[1:])
    if node.op_type == "ConvTranspose":
        # (in, out / group, kernel …): so many products a number of the input.
        weights = shapes[node.input[1]]
        return 2 * math.prod(shapes[node.input[0]]) * math.prod(weights[1:])
    if node.op_type in _PRODUCTS:
        return 2 * math.prod(shapes[node.output[0]]) * shapes[node.input[0]][-1]
    if node.op_type == "Gemm":
        axes = {a.name: a.i for a in node.attribute}
        inner = shapes[node.input[0]][0 if axes.get("transA") else 1]
        return 2 * math.prod(shapes[node.output[0]]) * inner
    if node.op_type in _GATES:
        layout = {a.name: a.i for a in node.attribute}.get("layout", 0)
        steps, batch, width = shapes[node.input[0]]
        if layout:
            steps, batch = batch, steps
        # (directions, gates x hidden, hidden)
        directions, _, hidden = shapes[node.input[2]]
        step = _GATES[node.op_type] * hidden * (width + hidden)
        return 2 * directions * steps * batch * step
    return 0


def _shapes(model: onnx.ModelProto) -> dict[str, Shape]:
    """The known shape of each tensor, with one item in a batch."""
    one = onnx.ModelProto()
    one.CopyFrom(model)
    for node in one.graph.input:
        dims = node.type.tensor_type.shape.dim
        if dims and not dims[0].dim_value:
            dims[0].dim_value = 1
    # What was noted of a free batch would hold against what is found of one item.
    del one.graph.value_info[:]
    for node in one.graph.output:
        node.type.tensor_type.ClearField("shape")
    found = onnx.shape_inference.infer_shapes(one, data_prop=True).graph
    shapes: dict[str, Shape] = {t.name: tuple(t.dims) for t in found.initializer}
    for node in (*found.input, *found.value_info, *found.output):
        dims = node.type.tensor_type.shape.dim
        if node.type.tensor_type.HasField("shape") and all(
            dim.HasField("dim_value") for dim in dims
        ):
            shapes[node.name] = tuple(dim.dim_value for dim in dims)
    return shapes
