"""Comparisons, ``TopKV2`` and ``Log`` in the dtype of their inputs.

tf2onnx 1.17 casts all of them to float32, for an old ONNX Runtime. It can then not tell
which of two whole numbers above 2^24 is greater; times in seconds are above it.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from onnx import TensorProto
from tf2onnx import utils

from exporter.rewrites.registry import handler

_WHOLE = (TensorProto.INT32, TensorProto.INT64)


@handler("Log")
def handle_as_it_is(graph: Any, node: Any) -> None:
    """Use ONNX's operator of the same name."""


@handler("Less", "Greater")
def handle_comparison(graph: Any, node: Any) -> None:
    """Use ONNX's comparison, in int64 for whole numbers.

    tf2onnx counts a loop's turns in int64, even if TensorFlow counted in another dtype.
    """
    if all(graph.get_dtype(name) in _WHOLE for name in node.input):
        for place, name in enumerate(list(node.input)):
            cast = graph.make_node("Cast", [name], {"to": TensorProto.INT64})
            graph.replace_input(node, name, cast.output[0], place)


@handler("LessEqual", "GreaterEqual")
def handle_comparison_with_equals(graph: Any, node: Any) -> None:
    """Use ONNX's comparison with "OrEqual", under ONNX's names."""
    handle_comparison(graph, node)
    node.type = node.type.replace("Equal", "OrEqual")


@handler("TopKV2")
def handle_top(graph: Any, node: Any) -> None:
    """Use ``TopK``, which takes a list of one k and answers int64 places."""
    count = graph.make_node("Cast", [node.input[1]], {"to": TensorProto.INT64})
    axes = graph.make_const(utils.make_name("axes"), np.array([0], np.int64))
    listed = graph.make_node("Unsqueeze", [count.output[0], axes.output[0]])
    graph.replace_input(node, node.input[1], listed.output[0], 1)
    wanted, places = node.output_dtypes[1], node.output[1]
    node.type = "TopK"
    node.set_attr("axis", -1)
    cast = graph.insert_new_node_on_output(
        "Cast", places, name=utils.make_name(node.name), to=wanted
    )
    graph.set_dtype(cast.output[0], wanted)
    graph.copy_shape(places, cast.output[0])
    graph.set_dtype(places, TensorProto.INT64)
