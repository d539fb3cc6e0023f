"""Graphs written by hand; the ranges are read off them."""

import numpy as np
import pytest
from onnx import TensorProto, helper, numpy_helper

from exporter.ranges import index_ranges


def model(nodes, inputs, tables):
    graph = helper.make_graph(
        nodes,
        "g",
        [helper.make_tensor_value_info(n, t, ["batch", 4]) for n, t in inputs.items()],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)],
        [numpy_helper.from_array(a, n) for n, a in tables.items()],
    )
    return helper.make_model(graph)


@pytest.fixture
def table():
    return np.zeros((100, 3), np.float32)


def test_an_embeddings_rows_are_the_range(table):
    made = model(
        [
            helper.make_node("Cast", ["ids"], ["cast"], to=TensorProto.INT64),
            helper.make_node("Gather", ["table", "cast"], ["y"]),
        ],
        {"ids": TensorProto.INT32},
        {"table": table},
    )
    assert index_ranges(made) == {"ids": (0, 99)}


def test_of_two_tables_the_smaller_counts(table):
    made = model(
        [
            helper.make_node("Gather", ["table", "ids"], ["a"]),
            helper.make_node("Gather", ["small", "ids"], ["b"]),
            helper.make_node("Add", ["a", "b"], ["y"]),
        ],
        {"ids": TensorProto.INT64},
        {"table": table, "small": table[:7]},
    )
    assert index_ranges(made) == {"ids": (0, 6)}


def test_a_number_that_is_no_index_has_no_range(table):
    """A sum of indices is none of them; a real number indexes nothing."""
    made = model(
        [
            helper.make_node("Add", ["ids", "ids"], ["sum"]),
            helper.make_node("Gather", ["table", "sum"], ["y"]),
        ],
        {"ids": TensorProto.INT64, "x": TensorProto.FLOAT},
        {"table": table},
    )
    assert index_ranges(made) == {}
