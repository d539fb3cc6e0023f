"""Between which numbers a model's whole-numbered inputs lie, as far as it tells."""

from __future__ import annotations

from collections import defaultdict

import onnx

from exporter.draws import Ranges

# Operators whose first input's values are their output's.
_SAME_VALUES = frozenset(
    {"Cast", "Expand", "Identity", "Reshape", "Slice", "Squeeze", "Transpose"}
    | {"Tile", "Unsqueeze"}
)
_INTEGERS = frozenset(
    {onnx.TensorProto.INT32, onnx.TensorProto.INT64, onnx.TensorProto.UINT8}
)


def index_ranges(model: onnx.ModelProto) -> Ranges:
    """Of each input that indexes a table of weights (an embedding), which rows it has.

    Without, such an input could be drawn from 0 and 1 alone: most of the table would
    not be compared, and what lies outside it is an error.

    Args:
        model: a converted model.

    Returns:
        By the input's name, 0 and the last row of the smallest table that it indexes.
    """
    rows = {
        tensor.name: tensor.dims[0] for tensor in model.graph.initializer if tensor.dims
    }
    users: dict[str, list[onnx.NodeProto]] = defaultdict(list)
    for node in model.graph.node:
        for name in node.input:
            users[name].append(node)
    ranges = {}
    for taken in model.graph.input:
        if taken.type.tensor_type.elem_type in _INTEGERS:
            found = _tables(taken.name, users, rows)
            if found:
                ranges[taken.name] = (0.0, float(min(found) - 1))
    return ranges


def _tables(
    name: str, users: dict[str, list[onnx.NodeProto]], rows: dict[str, int]
) -> list[int]:
    """The lengths of all tables that a tensor indexes."""
    found, waiting, seen = [], [name], {name}
    while waiting:
        values = waiting.pop()
        for node in users[values]:
            if node.op_type == "Gather" and node.input[1] == values:
                axis = next((a.i for a in node.attribute if a.name == "axis"), 0)
                if node.input[0] in rows and axis == 0:
                    found.append(rows[node.input[0]])
            elif node.op_type in _SAME_VALUES and node.input[0] == values:
                fresh = set(node.output) - seen
                seen |= fresh
                waiting += fresh
    return found
