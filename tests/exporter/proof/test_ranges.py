"""The graphs are written by hand, and the ranges are read off them."""

import numpy as np
import pytest
from onnx import TensorProto, helper, numpy_helper

from exporter.proof.ranges import index_ranges, traits_of


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
    """A sum of indices is no index itself, and an unused number indexes nothing."""
    made = model(
        [
            helper.make_node("Add", ["ids", "ids"], ["sum"]),
            helper.make_node("Gather", ["table", "sum"], ["y"]),
        ],
        {"ids": TensorProto.INT64, "x": TensorProto.FLOAT},
        {"table": table},
    )
    assert index_ranges(made) == {}


def integers(name, *values, dtype=np.int64):
    return numpy_helper.from_array(np.array(values, dtype), name)


def found(nodes, constants, table, dtype=TensorProto.FLOAT):
    """Return the range and traits of ``x``, whose way to the table ends in ``at``."""
    made = model(
        [*nodes, helper.make_node("Gather", ["table", "at"], ["y"])],
        {"x": dtype},
        {"table": table},
    )
    made.graph.initializer.extend(constants)
    return index_ranges(made), traits_of(made)


CAST = helper.make_node("Cast", ["cut"], ["at"], to=TensorProto.INT64)


def test_real_numbers_that_are_cast_to_rows_are_whole(table):
    cast = helper.make_node("Cast", ["x"], ["at"], to=TensorProto.INT32)
    ranges, traits = found([cast], [], table)
    assert ranges == {"x": (0, 99)}
    assert traits.whole == {"x"}
    assert not traits.unbounded


@pytest.mark.parametrize(
    ("node", "constant", "expected"),
    [
        # These are offsets of another table's rows: x + 10 names rows 0 to 99, and so
        # on.
        (("Add", ["x", "c"]), 10.0, (-10, 89)),
        (("Sub", ["x", "c"]), 5.0, (5, 104)),
        (("Sub", ["c", "x"]), 99.0, (0, 99)),
        # Whole numbers would name one row of two, or two rows; so these are real
        # numbers.
        (("Mul", ["x", "c"]), 2.0, (0, 49.5)),
        (("Div", ["x", "c"]), 2.0, (0, 198)),
        (("Min", ["x", "c"]), 20.0, (0, 20)),
        (("Max", ["c", "x"]), 7.0, (7, 99)),
        (("Mod", ["x", "c"]), 30.0, (0, 29)),
    ],
)
def test_arithmetic_with_constants_moves_the_range(table, node, constant, expected):
    kind, given = node
    ranges, traits = found(
        [helper.make_node(kind, given, ["cut"]), CAST],
        [integers("c", constant, dtype=np.float32)],
        table,
    )
    assert ranges == {"x": expected}
    assert ("x" in traits.whole) is (kind not in ("Mul", "Div"))


def test_a_range_that_is_clipped_is_that_of_the_clip(table):
    ranges, _ = found(
        [helper.make_node("Clip", ["x", "low", "high"], ["cut"]), CAST],
        [
            numpy_helper.from_array(np.float32(3), "low"),
            numpy_helper.from_array(np.float32(60), "high"),
        ],
        table,
    )
    assert ranges == {"x": (3, 60)}


def test_an_index_below_zero_counts_from_the_end_and_the_rows_are_the_range(table):
    """Keras 3 writes an embedding of real numbers like this."""
    ranges, _ = found(
        [
            helper.make_node("Cast", ["x"], ["ids"], to=TensorProto.INT64),
            helper.make_node("Less", ["ids", "zero"], ["below"]),
            helper.make_node("Add", ["ids", "rows"], ["moved"]),
            helper.make_node("Where", ["below", "moved", "ids"], ["at"]),
        ],
        [integers("zero", 0), integers("rows", 100)],
        table,
    )
    assert ranges == {"x": (0, 99)}


@pytest.mark.parametrize("dtype", [TensorProto.INT32, TensorProto.UINT8])
def test_indices_may_be_of_any_whole_dtype(table, dtype):
    cast = helper.make_node("Cast", ["x"], ["at"], to=TensorProto.INT64)
    assert found([cast], [], table, dtype)[0] == {"x": (0, 99)}


def whole(*nodes):
    made = model([*nodes], {"x": TensorProto.INT64}, {})
    return traits_of(made).unbounded


def test_whole_numbers_that_stay_whole_are_unbounded():
    assert whole(
        helper.make_node("MatMul", ["x", "x"], ["s"]),
        helper.make_node("Cast", ["s"], ["y"], to=TensorProto.INT32),
    ) == {"x"}


@pytest.mark.parametrize(
    "node",
    [
        helper.make_node("Cast", ["x"], ["y"], to=TensorProto.FLOAT),
        helper.make_node("Range", ["zero", "x", "one"], ["y"]),
        helper.make_node("Reshape", ["table", "x"], ["y"]),
        helper.make_node("Gather", ["table", "x"], ["y"]),
    ],
)
def test_real_numbers_places_and_lengths_are_not_unbounded(node):
    """Such numbers would make 2^62 rows, or compare a sum of 1e18 digit by digit."""
    assert whole(node) == set()


def test_the_keys_of_a_text_are_its_words():
    encode = {"domain": "ai.onnx.ml", "default_int64": -1}
    made = model(
        [
            helper.make_node("Reshape", ["part", "shape"], ["flat"]),
            helper.make_node(
                "LabelEncoder",
                ["flat"],
                ["place"],
                keys_strings=["e", "τ"],
                values_int64s=[1, 2],
                **encode,
            ),
            helper.make_node(
                "LabelEncoder",
                ["part"],
                ["y"],
                keys_strings=["", "e"],
                values_int64s=[1, 0],
                **encode,
            ),
        ],
        {"part": TensorProto.STRING, "other": TensorProto.STRING},
        {"shape": np.array([-1])},
    )
    words = traits_of(made).words
    assert {name: set(texts) for name, texts in words.items()} == {
        "part": {"", "e", "τ"}
    }
