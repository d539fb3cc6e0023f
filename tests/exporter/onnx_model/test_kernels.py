"""ONNX Runtime itself names the operators for which it has no kernel."""

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper

from exporter.onnx_model.kernels import fit_kernels


def model(node, given, made, shape=(None,)):
    graph = helper.make_graph(
        [node],
        "g",
        [helper.make_tensor_value_info(n, d, [None]) for n, d in given.items()],
        [helper.make_tensor_value_info(n, d, shape) for n, d in made.items()],
    )
    opsets = [helper.make_opsetid("", 18)]
    return helper.make_model(graph, opset_imports=opsets, ir_version=8)


def run(made, **inputs):
    session = onnxruntime.InferenceSession(
        made.SerializeToString(), providers=["CPUExecutionProvider"]
    )
    return session.run(None, inputs)[0]


def test_a_sum_without_a_kernel():
    node = helper.make_node("ReduceSum", ["x"], ["y"], keepdims=0)
    wanting = model(node, {"x": TensorProto.UINT32}, {"y": TensorProto.UINT32}, ())
    x = np.array([1, 2, 3], np.uint32)
    with pytest.raises(Exception, match="NOT_IMPLEMENTED"):
        run(wanting, x=x)
    fitted = fit_kernels(wanting)
    onnx.checker.check_model(fitted, full_check=True)
    answered = run(fitted, x=x)
    assert answered == 6
    assert answered.dtype == np.uint32


def test_a_choice_between_flags():
    flags = {name: TensorProto.BOOL for name in ("c", "x", "y")}
    node = helper.make_node("Where", ["c", "x", "y"], ["z"])
    wanting = model(node, flags, {"z": TensorProto.BOOL})
    c, x, y = np.array([[True, False], [True, True], [False, False]])
    with pytest.raises(Exception, match="NOT_IMPLEMENTED"):
        run(wanting, c=c, x=x, y=y)
    answered = run(fit_kernels(wanting), c=c, x=x, y=y)
    assert answered.tolist() == [True, False]


def test_what_has_a_kernel_stays_as_it_is():
    node = helper.make_node("Where", ["c", "x", "y"], ["z"])
    floats = {"x": TensorProto.FLOAT, "y": TensorProto.FLOAT}
    whole = model(node, {"c": TensorProto.BOOL, **floats}, {"z": TensorProto.FLOAT})
    assert [n.op_type for n in fit_kernels(whole).graph.node] == ["Where"]
