"""onnxslim cleans a model, and its sympy simplifies the sides of shapes."""

import collections

import numpy as np
import onnx
import sympy
from onnx import TensorProto, helper, numpy_helper

from exporter.onnx_model.clean import clean


def every_second_but_the_first() -> onnx.ModelProto:
    """Return (length) -> (length // 2), a Slice whose side is an expression."""
    numbers = {"start": 1, "end": 2**31 - 1, "axis": 0, "step": 2}
    given = helper.make_tensor_value_info("x", TensorProto.FLOAT, ["length"])
    answer = helper.make_tensor_value_info("y", TensorProto.FLOAT, ["half"])
    graph = helper.make_graph(
        [
            helper.make_node("Slice", ["x", *numbers], ["sliced"]),
            helper.make_node("Relu", ["sliced"], ["y"]),
        ],
        "slices",
        [given],
        [answer],
        [
            numpy_helper.from_array(np.array([n], np.int64), name)
            for name, n in numbers.items()
        ],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)])


def test_sympy_simplifies_each_expression_once(monkeypatch):
    """onnxslim asks for it again each time that it goes through the graph."""
    asked = collections.Counter()
    simplify = sympy.simplify

    def count(expression):
        asked[expression] += 1
        return simplify(expression)

    monkeypatch.setattr(sympy, "simplify", count)
    cleaned = clean(every_second_but_the_first())
    assert [node.op_type for node in cleaned.graph.node] == ["Slice", "Relu"]
    assert [*asked.values()] == [1]
    assert sympy.simplify is count
