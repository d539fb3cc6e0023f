"""Count how much a model computes for one item: two operations a multiplication.

The operators with nearly all of the work are counted: convolutions, matrix products and
recurrent cells. A multiplication with its addition is two operations. Elementwise
operators, poolings, normalizations and biases are not counted, and neither is the
inside of loops and branches, because nobody knows beforehand how often it runs.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

import onnx

Shape = tuple[int, ...]

# The number of matrices by which one step of a recurrent cell multiplies its input, and
# its state.
_GATES = {"LSTM": 4, "GRU": 3, "RNN": 1}
_PRODUCTS = ("MatMul", "MatMulInteger", "QLinearMatMul")
_CONVOLUTIONS = ("Conv", "ConvInteger", "QLinearConv")


def count_flops(model: onnx.ModelProto) -> int | None:
    """Count the operations for one item.

    Args:
        model: the model; its external data need not be loaded.

    Returns:
        The sum. None if a counted operator has a free axis besides the batch, because
        the sum then has no fixed size.
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
    """The operations of a node; raises KeyError if a shape is not known."""
    if node.op_type in _CONVOLUTIONS:
        # The inputs of QLinearConv are x, its scale, its zero point, and then the
        # weights.
        weights = shapes[node.input[3 if node.op_type == "QLinearConv" else 1]]
        # The weights are (out, in / group, kernel …), so one number of the output takes
        # the product of all axes but the first.
        return 2 * math.prod(shapes[node.output[0]]) * math.prod(weights[1:])
    if node.op_type == "ConvTranspose":
        # The weights are (in, out / group, kernel …), so one number of the input takes
        # the product of all axes but the first.
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
        # The weights are (directions, gates x hidden, hidden).
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
    # Shapes noted for a free batch would contradict the shapes found for one item.
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
