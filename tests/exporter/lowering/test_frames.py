"""Loops and branches of TensorFlow 1 answer as the same do in Python."""

import numpy as np
import onnxruntime
import pytest

from exporter.errors import ExportError
from tests.exporter.rewrites.converted import converted

pytestmark = pytest.mark.tensorflow


@pytest.fixture(scope="session")
def tf():
    """Return TensorFlow, which is imported here so that tests without it stay quick."""
    import tensorflow

    return tensorflow


def answered(write, x):
    """Return what the ONNX of a frozen graph answers, whose loops are circles."""
    import tensorflow as tf

    from tests.zoo.graphs.written import old_control_flow

    def run(given):
        graph = tf.Graph()
        with old_control_flow(), graph.as_default():
            taken = tf.compat.v1.placeholder(tf.float32, [None, x.shape[1]], "x")
            tf.identity(write(tf.compat.v1, taken), "y")
        kinds = {operation.type for operation in graph.get_operations()}
        assert kinds & {"Exit", "Merge"}
        (found,) = tf.graph_util.import_graph_def(
            graph.as_graph_def(), {"x": given}, ["y:0"]
        )
        return found

    return converted(run, x)[0]


def test_a_loop_in_a_loop(tf):
    def write(v1, x):
        def turn(i, y):
            return i + 1, v1.while_loop(
                lambda j, _: j <= i, lambda j, z: (j + 1, z * 2 + x), [0, y]
            )[1]

        return v1.while_loop(lambda i, _: i < 3, turn, [0, x])[1]

    x = np.array([[1, -3]], np.float32)
    expected = x
    for i in range(3):
        for _ in range(i + 1):
            expected = expected * 2 + x
    np.testing.assert_array_equal(answered(write, x), expected)


def test_a_loop_runs_as_often_as_the_numbers_need(tf):
    def write(v1, x):
        return v1.while_loop(lambda y: v1.reduce_max(y) > 1, lambda y: (y / 2,), [x])

    np.testing.assert_array_equal(
        answered(write, np.array([[12, 3]], np.float32)), [[0.75, 0.1875]]
    )


def test_a_loop_may_widen_what_it_carries(tf):
    def write(v1, x):
        return v1.while_loop(
            lambda i, _: i < 2,
            lambda i, y: (i + 1, v1.concat([y, y[:, -1:] + 1], 1)),
            [0, x],
            shape_invariants=[tf.TensorShape([]), tf.TensorShape([None, None])],
        )[1]

    np.testing.assert_array_equal(
        answered(write, np.array([[5]], np.float32)), [[5, 6, 7]]
    )


@pytest.mark.parametrize(
    ("x", "expected"), [(-4, 4), (1, 2), (3, 30)], ids=["false", "true", "true true"]
)
def test_a_branch_in_a_branch(tf, x, expected):
    def write(v1, x):
        greatest = v1.reduce_max(x)
        return v1.cond(
            greatest > 0,
            lambda: v1.cond(greatest > 2, lambda: x * 10, lambda: x * 2),
            lambda: -x,
        )

    assert answered(write, np.array([[x]], np.float32)).tolist() == [[expected]]


@pytest.mark.parametrize(("x", "expected"), [(-4, -28), (4, 8)])
def test_a_branch_that_only_its_switch_leads_to(tf, x, expected):
    def write(v1, x):
        positive = v1.reduce_max(x) > 0
        return x * v1.cond(positive, lambda: v1.constant(2.0), lambda: v1.constant(7.0))

    assert answered(write, np.array([[x]], np.float32)).tolist() == [[expected]]


@pytest.mark.parametrize(("x", "expected"), [(-4, -5), (2, 15)])
def test_a_loop_in_a_branch_and_a_branch_in_a_loop(tf, x, expected):
    """The numbers are 2 -> 5 -> 10 -> 15: the step is larger after the first turn."""

    def write(v1, x):
        def turn(i, y):
            step = v1.cond(v1.equal(i, 0), lambda: x + 1, lambda: x + 3)
            return i + 1, y + step

        return v1.cond(
            v1.reduce_max(x) > 0,
            lambda: v1.while_loop(lambda i, _: i < 3, turn, [0, x])[1],
            lambda: x - 1,
        )

    assert answered(write, np.array([[x]], np.float32)).tolist() == [[expected]]


def test_what_is_settled_is_no_branch(tf):
    """The branch depends on ``is_training``, which is off unless somebody feeds it."""
    from exporter.onnx_model.convert import convert
    from tests.zoo.graphs import specimens

    (made,) = (s.make() for s in specimens() if s.name == "loops.training_switch")
    model = convert(made)
    assert "If" not in {node.op_type for node in model.graph.node}
    session = onnxruntime.InferenceSession(model.SerializeToString())
    x = np.array([[0.1, -0.2, 1.3]], np.float32)
    (scores,) = session.run(None, {"x": x})
    np.testing.assert_allclose(scores, [[0, 0, 0.9995003]], atol=1e-6)


def test_branches_that_nothing_decides_between_are_refused(tf):
    from tensorflow.python.ops.control_flow_ops import merge

    from exporter.lowering.frames import meeting_of

    with tf.Graph().as_default():
        x = tf.compat.v1.placeholder(tf.float32, [3])
        met, _ = merge([x + 1, x + 2])
    with pytest.raises(ExportError, match="no one condition sets apart"):
        meeting_of(met.op)


def test_each_operation_comes_behind_what_it_follows_from(tf):
    from exporter.lowering.frames import ordered, sources_of

    with tf.Graph().as_default():
        x = tf.compat.v1.placeholder(tf.float32, [3], "x")
        y = tf.multiply(x, 2.0, "y")
        z = tf.add(y + tf.exp(y, "e"), x, "z")
    order = [operation.name for operation in ordered([z], sources_of)]
    assert order.index("x") < order.index("y") < order.index("e")
    assert order[-1] == "z"
    assert len(set(order)) == len(order)
