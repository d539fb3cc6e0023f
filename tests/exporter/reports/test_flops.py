"""The sums are done by hand; a multiplication with its addition counts as two."""

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from exporter.reports.flops import count_flops


def model_of(nodes, inputs, weights, output="y"):
    return helper.make_model(
        helper.make_graph(
            nodes,
            "sum",
            [
                helper.make_tensor_value_info(name, TensorProto.FLOAT, shape)
                for name, shape in inputs.items()
            ],
            [helper.make_tensor_value_info(output, TensorProto.FLOAT, None)],
            [
                numpy_helper.from_array(np.zeros(shape, np.float32), name)
                for name, shape in weights.items()
            ],
        ),
        opset_imports=[helper.make_opsetid("", 18)],
        ir_version=8,
    )


def node(operator, inputs, **attributes):
    return helper.make_node(operator, inputs, ["y"], **attributes)


@pytest.mark.parametrize(
    ("made", "shape", "weights", "flops"),
    [
        # Each item has one row, which takes 4 x 3 products.
        (node("MatMul", ["x", "w"]), ["batch", 4], {"w": (4, 3)}, 2 * 4 * 3),
        # Each item has five rows.
        (node("MatMul", ["x", "w"]), ["batch", 5, 4], {"w": (4, 3)}, 2 * 5 * 4 * 3),
        (
            node("Gemm", ["x", "w", "b"], transB=1),
            ["batch", 4],
            {"w": (3, 4), "b": (3,)},
            2 * 4 * 3,
        ),
        # Each side has 8 - 3 + 1 = 6 places: 6 x 6 places, 4 filters of 3 x 3 over 2
        # channels.
        (
            node("Conv", ["x", "w"]),
            ["batch", 2, 8, 8],
            {"w": (4, 2, 3, 3)},
            2 * 6 * 6 * 4 * 2 * 9,
        ),
        # Each of 2 channels has its own filter: 2 x 3 x 3 at 6 x 6 places.
        (
            node("Conv", ["x", "w"], group=2),
            ["batch", 2, 8, 8],
            {"w": (2, 1, 3, 3)},
            2 * 6 * 6 * 2 * 9,
        ),
        # Each of 8 x 8 x 2 numbers goes into 3 x 3 places of 4 channels.
        (
            node("ConvTranspose", ["x", "w"]),
            ["batch", 2, 8, 8],
            {"w": (2, 4, 3, 3)},
            2 * 8 * 8 * 2 * 4 * 9,
        ),
        # There are 7 steps and 4 gates of 5, each with 3 inputs and 5 states.
        (
            node("LSTM", ["x", "w", "r"], hidden_size=5),
            [7, "batch", 3],
            {"w": (1, 20, 3), "r": (1, 20, 5)},
            2 * 7 * 4 * 5 * (3 + 5),
        ),
        (node("Relu", ["x"]), ["batch", 4], {}, 0),
    ],
    ids=lambda value: value.op_type if isinstance(value, onnx.NodeProto) else "",
)
def test_a_sum_done_by_hand(made, shape, weights, flops):
    if made.op_type == "LSTM":
        # The batch is the second axis of this operator; the axis is free, so it has no
        # fixed size.
        shape = [7, 1, 3]
    model = model_of([made], {"x": shape}, weights)
    assert count_flops(model) == flops


def test_a_chain_is_the_sum_of_its_nodes():
    first = helper.make_node("MatMul", ["x", "v"], ["h"])
    second = helper.make_node("MatMul", ["h", "w"], ["y"])
    model = model_of([first, second], {"x": ["batch", 4]}, {"v": (4, 8), "w": (8, 3)})
    assert count_flops(model) == 2 * (4 * 8 + 8 * 3)


def test_a_fixed_batch_counts_whole():
    model = model_of([node("MatMul", ["x", "w"])], {"x": [6, 4]}, {"w": (4, 3)})
    assert count_flops(model) == 6 * 2 * 4 * 3


def test_a_picture_of_free_size_has_no_fixed_sum():
    made = node("Conv", ["x", "w"])
    shape = ["batch", 2, "height", "width"]
    assert count_flops(model_of([made], {"x": shape}, {"w": (4, 2, 3, 3)})) is None


def test_the_model_itself_is_not_changed():
    model = model_of([node("MatMul", ["x", "w"])], {"x": ["n", 4]}, {"w": (4, 3)})
    before = model.SerializeToString(deterministic=True)
    count_flops(model)
    assert model.SerializeToString(deterministic=True) == before
