"""The expected values are sums by hand."""

import numpy as np
import pytest

from bundle.errors import ShapeError
from bundle.folder import open_bundle
from runtime.backends.opening import open_backend, open_tensorflow
from runtime.backends.options import BackendOptions
from runtime.errors import BackendError
from tests.examples import WEIGHTS
from tests.frozen import (
    ANSWER,
    FILE,
    ROW,
    frozen,
    frozen_variables,
    pixels,
    rows,
    rows_with_default,
    scoped_rows,
    variable_rows,
    write_frozen_bundle,
)

pytestmark = pytest.mark.tensorflow


@pytest.fixture
def open_graph(tmp_path):
    """Return a function that opens a graph, in a file with a name like TFaaS's."""
    from runtime.backends.frozen_graph import FrozenGraphBackend

    def opened(graph, input_node="x", output_node="scores", shape=None):
        path = tmp_path / FILE
        path.write_bytes(graph)
        return FrozenGraphBackend(path, (input_node,), (output_node,), shape)

    return opened


def test_it_answers_as_computed_by_hand(open_graph):
    assert open_graph(frozen(rows)).run({"x": ROW})["scores"].tolist() == ANSWER


def test_it_tells_its_tensors_and_its_device(open_graph):
    backend = open_graph(frozen(pixels))
    assert (backend.name, backend.device) == ("tensorflow", "cpu")
    assert [(i.name, i.dtype, i.shape) for i in backend.inputs] == [
        ("x", np.float32, (None, 2, 2, 1))
    ]
    assert [(o.name, o.shape) for o in backend.outputs] == [("scores", (None, 3))]


@pytest.mark.parametrize("suffix", ["", ":0"])
def test_a_node_in_a_scope_is_named_with_or_without_its_port(open_graph, suffix):
    graph = frozen(scoped_rows)
    backend = open_graph(graph, f"net/x{suffix}", f"net/scores{suffix}")
    assert backend.run({"net/x": ROW})["net/scores"].tolist() == ANSWER


def test_variables_that_were_frozen_are_constants(open_graph):
    backend = open_graph(frozen_variables())
    assert backend.run({"x": ROW})["scores"].tolist() == ANSWER


def test_variables_that_were_not_frozen_are_named(open_graph):
    with pytest.raises(BackendError, match="variable 'weights' .*; freeze the graph"):
        open_graph(frozen(variable_rows))


def test_a_node_in_the_middle_may_take_the_input(open_graph):
    """The Inception of 2015 is such a graph: its first node decodes a JPEG."""

    def build(v1):
        contents = v1.placeholder(v1.string, [], name="contents")
        decoded = v1.decode_raw(contents, v1.float32)
        row = v1.reshape(decoded, [-1, 4], name="x")
        v1.matmul(row, v1.constant(WEIGHTS), name="scores")

    assert open_graph(frozen(build)).run({"x": ROW})["scores"].tolist() == ANSWER


def test_another_input_that_has_a_default_keeps_it(open_graph):
    backend = open_graph(frozen(rows_with_default))
    assert backend.run({"x": ROW})["scores"].tolist() == ANSWER


def test_another_input_without_one_is_named(open_graph):
    def build(v1):
        x = v1.placeholder(v1.float32, [None, 4], name="x")
        keep = v1.placeholder(v1.float32, [], name="keep_prob")
        v1.matmul(x * keep, v1.constant(WEIGHTS), name="scores")

    with pytest.raises(BackendError, match="a value for 'keep_prob' besides .* 'x'"):
        open_graph(frozen(build))


def test_where_it_was_trained_says_nothing_of_where_it_is_served(open_graph):
    def build(v1):
        with v1.device("/job:worker/task:3/gpu:7"):
            rows(v1)

    assert open_graph(frozen(build)).run({"x": ROW})["scores"].tolist() == ANSWER


def shapeless(v1):
    x = v1.placeholder(v1.float32, name="x")
    v1.matmul(x, v1.constant(WEIGHTS), name="scores")


def early_tensorflow():
    """Write a free axis as no axes at all, as producers below 24 did."""
    import tensorflow as tf

    graph = tf.compat.v1.GraphDef.FromString(frozen(rows))
    graph.node[0].attr["shape"].shape.Clear()
    graph.versions.producer = 21
    return graph.SerializeToString()


@pytest.mark.parametrize("graph", [lambda: frozen(shapeless), early_tensorflow])
def test_a_shape_that_the_graph_leaves_open_is_told(open_graph, graph):
    with pytest.raises(BackendError, match="leaves the shape of 'x' open: .*features"):
        open_graph(graph())
    backend = open_graph(graph(), shape=(None, 4))
    assert backend.inputs[0].shape == (None, 4)
    assert backend.outputs[0].shape == (None, 3)
    assert backend.run({"x": ROW})["scores"].tolist() == ANSWER


def test_a_shape_that_the_graph_tells_is_believed(open_graph):
    backend = open_graph(frozen(rows), shape=(None, 28, 28, 1))
    assert backend.inputs[0].shape == (None, 4)


@pytest.mark.parametrize(
    ("nodes", "sentence"),
    [
        (
            ("input_1", "scores"),
            f"{FILE} has no node 'input_1', .* 'input_node'; its placeholders are x$",
        ),
        (
            ("x", "softmax:0"),
            f"{FILE} has no node 'softmax', .* 'output_node'; .* ends are scores$",
        ),
        (("scores", "x"), "'output_node' 'x' does not follow from .* 'scores'"),
    ],
)
def test_a_wrong_node_is_named_with_those_there_are(open_graph, nodes, sentence):
    with pytest.raises(BackendError, match=sentence):
        open_graph(frozen(rows), *nodes)


def test_of_many_candidates_some_are_named(open_graph):
    def build(v1):
        for n in range(100):
            v1.placeholder(v1.float32, [1], name=f"p{n}")
        rows(v1)

    with pytest.raises(BackendError, match="placeholders are p0, .*p7, …$"):
        open_graph(frozen(build), input_node="pixels")


@pytest.mark.parametrize("content", [b"", b"junk", b"\x08\x01"])
def test_a_file_that_is_no_graph_names_no_folder(open_graph, tmp_path, content):
    with pytest.raises(BackendError, match=f"^{FILE} is not a frozen graph") as caught:
        open_graph(content)
    assert str(tmp_path) not in str(caught.value)


def test_an_operator_that_tensorflow_lacks_is_a_sentence(open_graph):
    graph = frozen(rows).replace(b"MatMul", b"NatMul")
    with pytest.raises(BackendError, match=f"^TensorFlow cannot load {FILE}$"):
        open_graph(graph)


def test_a_wrong_input_is_told_what_was_expected(open_graph):
    with pytest.raises(ShapeError, match=r"shape \(1, 3\) .*\(any, 4\)"):
        open_graph(frozen(rows)).run({"x": ROW[:, :3]})


def test_a_bundle_of_a_frozen_graph_is_served_by_tensorflow(tmp_path):
    bundle = open_bundle(write_frozen_bundle(tmp_path, frozen(rows)))
    opened = open_backend(bundle, BackendOptions())
    assert opened.backend.name == "tensorflow"
    assert "there is no model.onnx" in opened.fallback_reason
    assert opened.backend.run({"x": ROW})["scores"].tolist() == ANSWER


@pytest.mark.parametrize(
    ("params", "shape"),
    [
        ({"features": ["a", "b", "c", "d"]}, (None, 4)),
        ({"img_channels": 3}, (None, None, None, 3)),
        (
            {"img_channels": 1, "preprocess": {"size": [2, 3]}},
            (None, 2, 3, 1),
        ),
    ],
)
def test_params_json_tells_a_shape_that_the_graph_leaves_open(tmp_path, params, shape):
    def build(v1):
        x = v1.placeholder(v1.float32, name="x")
        v1.identity(2 * x, name="scores")

    folder = write_frozen_bundle(tmp_path, frozen(build), **params)
    assert open_tensorflow(open_bundle(folder)).inputs[0].shape == shape
