"""TensorFlow itself runs a function and its lowered copy."""

import numpy as np
import pytest

pytestmark = pytest.mark.tensorflow


@pytest.fixture
def tf():
    import tensorflow as tf

    return tf


def signature_of(tf, function, *shape, dtype=None):
    from runtime.backends.saved_model import Signature

    spec = tf.TensorSpec(shape, dtype or tf.float32, name="x")
    concrete = tf.function(lambda x: {"y": function(x)}).get_concrete_function(spec)
    return Signature(concrete, {"x": spec}, concrete.structured_outputs)


def lower(signature, **options):
    from exporter.lowering.lower import lower

    return lower(signature, **options)


def operators(graph):
    """Return the operators of a graph and of the functions that it names."""
    definition = graph.as_graph_def()
    nodes = [*definition.node]
    for function in definition.library.function:
        nodes += function.node_def
    return {node.op for node in nodes}


def run(tf, lowered, array):
    with tf.compat.v1.Session(graph=lowered.graph) as session:
        return session.run(lowered.outputs["y"], {lowered.inputs["x"]: array})


ROWS = np.array([[1, -2, 3], [0.5, 0, -1]], np.float32)


def test_nested_calls_are_replaced_by_what_they_call(tf):
    @tf.function
    def inner(x):
        return x * 2

    @tf.function
    def outer(x):
        return inner(x) + inner(x + 1)

    lowered = lower(signature_of(tf, outer, None, 3))
    assert not operators(lowered.graph) & {"PartitionedCall", "StatefulPartitionedCall"}
    np.testing.assert_allclose(run(tf, lowered, ROWS), 4 * ROWS + 2)


def test_calls_that_keras_marks_for_xla_are_replaced_too(tf):
    """TensorFlow's own inlining leaves them, and tf2onnx then passes them on."""

    @tf.function(jit_compile=True)
    def marked(x):
        return x * 3

    lowered = lower(signature_of(tf, marked, None, 3))
    assert operators(lowered.graph) <= {"Placeholder", "Const", "Mul", "Identity"}
    np.testing.assert_allclose(run(tf, lowered, ROWS), 3 * ROWS)


def test_variables_are_replaced_by_what_they_hold(tf):
    weight = tf.Variable([[1.0], [10.0], [100.0]])
    lowered = lower(signature_of(tf, lambda x: x @ weight, None, 3))
    assert not operators(lowered.graph) & {"ReadVariableOp", "VarHandleOp"}
    weight.assign(weight * 0)
    np.testing.assert_allclose(run(tf, lowered, ROWS), [[281], [-99.5]])


def test_a_variable_that_is_read_in_a_loop(tf):
    step = tf.Variable([1.0, 2.0, 3.0])

    def climb(x):
        return tf.while_loop(
            lambda i, y: i < 4, lambda i, y: (i + 1, y + step), (0, x)
        )[1]

    lowered = lower(signature_of(tf, climb, None, 3))
    assert "ReadVariableOp" not in operators(lowered.graph)
    expected = ROWS + 4 * np.array([1, 2, 3], np.float32)
    np.testing.assert_allclose(run(tf, lowered, ROWS), expected)


def test_a_variable_that_is_read_in_a_branch(tf):
    weight = tf.Variable(5.0)

    def choose(x):
        return tf.cond(tf.reduce_sum(x) > 0, lambda: x * weight, lambda: x - weight)

    lowered = lower(signature_of(tf, choose, None, 3))
    np.testing.assert_allclose(run(tf, lowered, ROWS), 5 * ROWS)
    np.testing.assert_allclose(run(tf, lowered, -ROWS), -ROWS - 5)


def test_a_row_that_is_gathered_from_a_variable(tf):
    table = tf.Variable(np.arange(12, dtype=np.float32).reshape(4, 3))
    lowered = lower(
        signature_of(tf, lambda x: tf.gather(table, x), None, dtype=tf.int32)
    )
    answered = run(tf, lowered, np.array([3, 0], np.int32))
    np.testing.assert_allclose(answered, [[9, 10, 11], [0, 1, 2]])


def test_a_table_of_numbers_is_compared_with_all_its_keys(tf):
    table = tf.lookup.StaticHashTable(
        tf.lookup.KeyValueTensorInitializer(
            [10, 20, 30], [1, 2, 3], tf.int64, tf.int64
        ),
        -1,
    )
    lowered = lower(signature_of(tf, table.lookup, None, dtype=tf.int64))
    assert "LookupTableFindV2" not in operators(lowered.graph)
    answered = run(tf, lowered, np.array([30, 10, 7], np.int64))
    assert answered.tolist() == [3, 1, -1]


def test_a_table_without_keys_answers_the_default(tf):
    table = tf.lookup.experimental.MutableHashTable(tf.int64, tf.int64, -1)
    lowered = lower(signature_of(tf, table.lookup, None, dtype=tf.int64))
    answered = run(tf, lowered, np.array([30, 10], np.int64))
    assert answered.tolist() == [-1, -1]


def test_what_rewrites_leave_inside_loops_is_lowered_too(tf):
    def soften(x):
        return tf.while_loop(
            lambda i, y: i < 2, lambda i, y: (i + 1, tf.math.erfc(y)), (0, x)
        )[1]

    lowered = lower(signature_of(tf, soften, None, 3))
    assert "Erfc" not in operators(lowered.graph)
    expected = tf.math.erfc(tf.math.erfc(ROWS))
    np.testing.assert_allclose(run(tf, lowered, ROWS), expected, atol=1e-6)


def test_asserts_and_prints_are_left_behind(tf):
    def checked(x):
        tf.debugging.assert_greater(tf.shape(x)[0], 0)
        tf.print(x)
        return x + 1

    lowered = lower(signature_of(tf, checked, None, 3))
    assert not operators(lowered.graph) & {"Assert", "PrintV2", "If", "StringFormat"}


def test_shapes_are_those_of_the_signature(tf):
    lowered = lower(signature_of(tf, lambda x: x, None, 3))
    taken = lowered.graph.get_tensor_by_name(lowered.inputs["x"])
    assert taken.shape.as_list() == [None, 3]


def test_large_weights_are_kept_beside_the_graph(tf):
    """A lowered limit makes a small model take the way of one of more than 2 GB."""
    values = np.arange(300_000, dtype=np.float32).reshape(3, 100_000)
    weight = tf.Variable(values)
    lowered = lower(
        signature_of(tf, lambda x: tf.nn.relu(x @ weight), None, 3), large_bytes=100
    )
    ((name, kept),) = lowered.weights.items()
    np.testing.assert_array_equal(kept, values)
    assert len(lowered.graph.as_graph_def().SerializeToString()) < 4000
    with tf.compat.v1.Session(graph=lowered.graph) as session:
        answered = session.run(
            lowered.outputs["y"], {lowered.inputs["x"]: ROWS, name: kept}
        )
    np.testing.assert_allclose(answered, np.maximum(ROWS @ values, 0), rtol=1e-5)


def test_no_two_nodes_of_loops_within_loops_have_one_name(tf):
    """tf2onnx puts a condition into its body, where one name can mean only one node."""

    def turn(i, y):
        _, z = tf.while_loop(
            lambda j, _: j < i + 1,
            lambda j, z: (j + 1, z * 0.5 + tf.cast(j, tf.float32)),
            [tf.constant(0), y],
        )
        return i + 1, z

    def nested(x):
        return tf.while_loop(lambda i, _: i < 3, turn, [tf.constant(0), x])[1]

    lowered = lower(signature_of(tf, nested, None, 3))
    functions = lowered.graph.as_graph_def().library.function
    names = [node.name for function in functions for node in function.node_def]
    names += [arg.name for f in functions for arg in f.signature.input_arg]
    assert len(functions) == 4
    assert len(set(names)) == len(names)
    np.testing.assert_allclose(run(tf, lowered, ROWS), nested(ROWS))


def test_one_of_several_branches_is_chosen_and_the_last_one_by_any_other_number(tf):
    weight = tf.Variable(3.0)

    def choose(x):
        number = tf.cast(x[0, 0], tf.int32)
        branches = [lambda: x + 1, lambda: x * weight, lambda: -x]
        return tf.switch_case(number, branches)

    lowered = lower(signature_of(tf, choose, None, 3))
    assert not operators(lowered.graph) & {"Case", "StatelessCase"}
    for number, expected in ((0, 1), (1, 3), (2, -2), (7, -7), (-5, 5)):
        (answered,) = run(tf, lowered, np.full((1, 3), number, np.float32))
        assert answered.tolist() == [expected] * 3


def test_an_ellipsis_between_known_places_is_one_slice(tf):
    """The inverse of a matrix has hundreds of them, and each was ten operators once."""
    lowered = lower(signature_of(tf, lambda x: x[..., 1:], None, 3))
    slices = {"Const", "Identity", "Placeholder", "StridedSlice"}
    assert operators(lowered.graph) == slices
    np.testing.assert_array_equal(run(tf, lowered, ROWS), ROWS[:, 1:])
