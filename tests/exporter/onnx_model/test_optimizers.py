"""The exporter runs tf2onnx's optimizers."""

import numpy as np
import pytest

pytest.importorskip("tensorflow")

import onnx
import onnxruntime
import tensorflow as tf
from onnx import numpy_helper
from tf2onnx import optimizer
from tf2onnx.graph import Graph
from tf2onnx.optimizer.einsum_optimizer import CachedEinsum
from tf2onnx.optimizer.optimizer_base import GraphOptimizerBase

from exporter.child.run import Limits, run_in_child
from exporter.onnx_model import optimizers
from exporter.onnx_model.convert import convert
from runtime.backends.saved_model import Signature
from tests.exporter import works
from tests.exporter.rewrites.converted import converted

pytestmark = pytest.mark.tensorflow


@pytest.fixture
def graph():
    with optimizers._written_once():
        yield Graph([], opset=18)


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
    """A dozen optimizers run until none finds more: 48 runs for ResNet50."""
    weights = 60_000_000
    taken = run_in_child(
        works.memory_of_a_conversion,
        weights,
        limits=Limits(seconds=120),
        tell=lambda step: None,
    )
    assert weights < taken < 20 * weights


def test_what_an_optimizer_breaks_is_put_back(monkeypatch):
    class Breaking(GraphOptimizerBase):
        def _optimize(self, graph):
            for node in graph.get_nodes():
                node.type = "Broken"
            raise KeyError("no such node")

    def process():
        graph = Graph([], opset=18)
        weight = graph.make_const("weight", np.arange(3.0)).output[0]
        node = graph.make_node("Softmax", [weight], attr={"axis": 0})
        graph.add_graph_output(node.output[0], onnx.TensorProto.DOUBLE, [3])
        return graph

    monkeypatch.setitem(optimizer._optimizers, "breaking", Breaking)
    graph = optimizers.optimize(process).graph
    assert [node.op_type for node in graph.node] == ["Softmax"]
    assert [len(tensor.dims) for tensor in graph.initializer] == [1]


@pytest.mark.parametrize("side", [1, 2])
def test_a_normalization_of_one_pixel_is_along_its_channels(side):
    """TensorFlow gives the right values; tf2onnx's own reshapes were off by 0.6."""
    numbers = np.random.default_rng(0)
    kernel = tf.constant(numbers.standard_normal((2, 2, 8, 8), np.float32))
    scale = tf.constant(numbers.uniform(0.5, 1.5, 8).astype(np.float32))

    def normalized(x):
        mean, variance = tf.nn.moments(x, [-1], keepdims=True)
        return tf.nn.batch_normalization(x, mean, variance, scale, scale, 1e-6)

    def call(x):
        y = tf.nn.conv2d(x, kernel, 2, "VALID")
        y += normalized(tf.nn.conv2d(y, kernel, 1, "SAME"))
        return {"y": y + normalized(tf.nn.conv2d(y, kernel, 1, "SAME"))}

    x = tf.TensorSpec((None, 2 * side, 2 * side, 8), tf.float32, name="x")
    function = tf.function(call).get_concrete_function(x=x)
    model = convert(Signature(function, {"x": x}, function.structured_outputs))
    session = onnxruntime.InferenceSession(
        model.SerializeToString(), providers=["CPUExecutionProvider"]
    )
    pixels = numbers.standard_normal((2, 2 * side, 2 * side, 8), np.float32)
    expected = call(tf.constant(pixels))["y"].numpy()
    (answered,) = session.run(None, {"x": pixels})
    np.testing.assert_allclose(answered, expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("steps", [1, 5])
def test_heads_are_split_after_a_dense_layer(steps):
    """tf2onnx joined both reshapes, and took the sides of the wrong one."""
    x = np.random.default_rng(0).normal(size=(3, steps, 8)).astype(np.float32)
    kernel = np.random.default_rng(1).normal(size=(8, 8)).astype(np.float32)

    def split(x, like):
        x = tf.concat([x, like], axis=1)[:, : tf.shape(like)[1]]
        dense = tf.tensordot(x, kernel, [[2], [0]])
        sides = tf.shape(dense)
        return tf.reshape(dense, [sides[0], sides[1], 2, 4])

    (answered,) = converted(split, x, x)
    np.testing.assert_allclose(
        answered, (x @ kernel).reshape(3, steps, 2, 4), rtol=1e-4, atol=1e-5
    )


def test_an_einsum_of_many_letters_is_written_few_times(monkeypatch):
    """Attention over three axes has nine letters, which have 362,880 orders."""
    written = []
    write = CachedEinsum.build_runtime

    def counted(self):
        written.append(self.equation)
        assert len(written) <= 200, "all orders are tried"
        write(self)

    monkeypatch.setattr(CachedEinsum, "build_runtime", counted)
    x = np.random.default_rng(0).normal(size=(2, 2, 3, 2, 2, 4)).astype(np.float32)
    equation = "abcdef,aghief->aebcdghi"
    (answered,) = converted(lambda x: tf.einsum(equation, x, x), x)
    assert 100 < len(written) <= 200
    expected = np.einsum(equation, x, x)
    np.testing.assert_allclose(answered, expected, rtol=1e-4, atol=1e-5)
