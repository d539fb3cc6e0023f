"""ONNX models with all kinds of inputs, whose answers can be computed by hand."""

from __future__ import annotations

import numpy as np
from onnx import TensorProto, helper, numpy_helper

from tests.examples import WEIGHTS, serialize

FLOAT, INT64, UINT8 = TensorProto.FLOAT, TensorProto.INT64, TensorProto.UINT8
STRING, BOOL, FLOAT16 = TensorProto.STRING, TensorProto.BOOL, TensorProto.FLOAT16


def onnx_of(nodes, inputs, outputs, **weights) -> bytes:
    """Make a model from nodes (operator, inputs, outputs, attributes) and tensors.

    A tensor is given as (name, type, shape).
    """
    return serialize(
        helper.make_graph(
            [helper.make_node(op, ins, outs, **more) for op, ins, outs, more in nodes],
            "graph",
            [helper.make_tensor_value_info(*tensor) for tensor in inputs],
            [helper.make_tensor_value_info(*tensor) for tensor in outputs],
            [numpy_helper.from_array(w, name) for name, w in weights.items()],
        )
    )


def identity(dtype: int = FLOAT, *shape) -> bytes:
    """Return a model that answers with its input; (n, 3) if no shape is given."""
    shape = shape or ("n", 3)
    return onnx_of(
        [("Identity", ["x"], ["y"], {})], [("x", dtype, shape)], [("y", dtype, shape)]
    )


def two_inputs() -> bytes:
    """Return a model: ``sum`` is a + b, ``less`` is b - 1; float32 and int64 (n, 2)."""
    return onnx_of(
        [
            ("Cast", ["b"], ["b_float"], {"to": FLOAT}),
            ("Add", ["a", "b_float"], ["sum"], {}),
            ("Sub", ["b", "one"], ["less"], {}),
        ],
        [("a", FLOAT, ("n", 2)), ("b", INT64, ("m", 2))],
        [("sum", FLOAT, ("k", 2)), ("less", INT64, ("m", 2))],
        one=np.array(1, np.int64),
    )


def half_plus_two() -> bytes:
    """Return TensorFlow Serving's example: y is x/2 + 2, float32 (n,)."""
    return onnx_of(
        [("Mul", ["x", "half"], ["m"], {}), ("Add", ["m", "two"], ["y"], {})],
        [("x", FLOAT, ("n",))],
        [("y", FLOAT, ("n",))],
        half=np.float32(0.5),
        two=np.float32(2),
    )


def texts_and_flags() -> bytes:
    """Return a model: ``same`` is the text, ``other`` the opposite of the flag."""
    return onnx_of(
        [("Identity", ["text"], ["same"], {}), ("Not", ["flag"], ["other"], {})],
        [("text", STRING, ("n",)), ("flag", BOOL, ("n",))],
        [("same", STRING, ("n",)), ("other", BOOL, ("n",))],
    )


def brightness(*shape) -> bytes:
    """Return a model: pixels 0..255 (n, 2, 2, 1) -> (n, 1), the share of white."""
    shape = shape or ("n", 2, 2, 1)
    return onnx_of(
        [
            ("ReduceMean", ["pixels", "axes"], ["mean"], {"keepdims": 0}),
            ("Div", ["mean", "white"], ["share"], {}),
        ],
        [("pixels", FLOAT, shape)],
        [("share", FLOAT, (shape[0], 1))],
        axes=np.array([1, 2], np.int64),
        white=np.array(255, np.float32),
    )


def total(*shape) -> bytes:
    """Return a model that adds a row up, whatever its axes are: (n, …) -> (n,)."""
    axes = np.arange(1, len(shape))
    return onnx_of(
        [("ReduceSum", ["x", "axes"], ["y"], {"keepdims": 0})],
        [("x", FLOAT, shape)],
        [("y", FLOAT, shape[:1])],
        axes=axes,
    )


def endless_onnx() -> bytes:
    """Return ``linear_onnx`` behind a loop of 2**62 turns."""
    body = helper.make_graph(
        [
            helper.make_node("Identity", ["go"], ["go_on"]),
            helper.make_node("Add", ["before", "nothing"], ["after"]),
        ],
        "body",
        [
            helper.make_tensor_value_info("turn", INT64, []),
            helper.make_tensor_value_info("go", BOOL, []),
            helper.make_tensor_value_info("before", FLOAT, []),
        ],
        [
            helper.make_tensor_value_info("go_on", BOOL, []),
            helper.make_tensor_value_info("after", FLOAT, []),
        ],
    )
    return onnx_of(
        [
            ("Flatten", ["pixels"], ["row"], {}),
            ("MatMul", ["row", "weights"], ["product"], {}),
            ("ReduceMean", ["product"], ["mean"], {"keepdims": 0}),
            ("Loop", ["turns", "always", "mean"], ["end"], {"body": body}),
            ("Add", ["product", "end"], ["scores"], {}),
        ],
        [("pixels", FLOAT, ("batch", 2, 2, 1))],
        [("scores", FLOAT, ("batch", 3))],
        weights=WEIGHTS,
        nothing=np.float32(0),
        turns=np.int64(1 << 62),
        always=np.bool_(True),
    )


def one_number(op: str = "Identity") -> bytes:
    """Return a model: the sum of a picture's four pixels, (n, 2, 2, 1) to (n,)."""
    return onnx_of(
        [
            ("ReduceSum", ["x", "axes"], ["sum"], {"keepdims": 0}),
            (op, ["sum"], ["y"], {}),
        ],
        [("x", FLOAT, ("n", 2, 2, 1))],
        [("y", FLOAT, ("n",))],
        axes=np.array([1, 2, 3]),
    )
