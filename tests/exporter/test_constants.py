"""What tf2onnx's nodes write of themselves."""

import numpy as np
import pytest

pytest.importorskip("tensorflow")

import onnx
from onnx import numpy_helper
from tf2onnx.graph import Graph

from exporter.child import Limits, run_in_child
from exporter.constants import write_constants_once
from tests.exporter import works

pytestmark = pytest.mark.tensorflow


@pytest.fixture
def graph():
    write_constants_once()
    return Graph([], opset=18)


def written(node):
    return numpy_helper.to_array(node._op.attribute[0].t)


def test_a_constant_that_did_not_change_is_not_written_again(graph):
    node = graph.make_const("weight", np.arange(3.0))
    graph.update_proto()
    first = node._op.attribute[0]
    graph.update_proto()
    assert node._op.attribute[0] is first
    assert written(node).tolist() == [0.0, 1.0, 2.0]


def test_a_constant_that_was_given_another_value_is_written(graph):
    node = graph.make_const("weight", np.arange(3.0))
    graph.update_proto()
    node.set_tensor_value(np.full(2, 7.0))
    graph.update_proto()
    assert written(node).tolist() == [7.0, 7.0]


def test_a_constant_that_was_given_another_name_is_written(graph):
    node = graph.make_const("weight", np.arange(3.0))
    graph.update_proto()
    node.output = ["another:0"]
    graph.update_proto()
    assert list(node._op.output) == ["another:0"]


def test_other_nodes_are_written_each_time(graph):
    graph.make_const("weight", np.arange(3.0))
    node = graph.make_node("Softmax", ["weight"], attr={"axis": 0})
    graph.update_proto()
    node.set_attr("axis", -1)
    graph.update_proto()
    assert onnx.helper.get_attribute_value(node._op.attribute[0]) == -1


@pytest.mark.slow
def test_a_conversion_takes_no_copy_of_the_weights_for_each_optimizer():
    """There are a dozen, gone through until none finds more; for ResNet50, 48 times."""
    weights = 200_000_000
    taken = run_in_child(
        works.memory_of_a_conversion,
        weights,
        limits=Limits(seconds=120),
        tell=lambda step: None,
    )
    assert weights < taken < 14 * weights
