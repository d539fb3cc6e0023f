"""Rings and branches that TensorFlow 1 itself made are taken apart."""

import pytest

from exporter.errors import ExportError

pytestmark = pytest.mark.tensorflow


@pytest.fixture
def v1():
    import tensorflow as tf

    tf.compat.v1.disable_control_flow_v2()
    with tf.Graph().as_default():
        yield tf.compat.v1
    tf.compat.v1.enable_control_flow_v2()


def names(tensors):
    return {tensor.op.name for tensor in tensors}


def test_a_loop_is_found_from_one_of_its_ends(v1):
    from exporter.frames import loop_of

    x = v1.placeholder(v1.float32, [3], "x")
    by = v1.placeholder(v1.float32, [3], "by")
    turns, end = v1.while_loop(
        lambda i, _: i < 4, lambda i, y: (i + 1, y * by), [v1.constant(0, name="i"), x]
    )
    for left in (turns, end):
        loop = loop_of(left.op)
        assert names(v.enters for v in loop.variables) == {"i", "x"}
        assert {e.name for v in loop.variables for e in v.exits} == {
            turns.name,
            end.name,
        }
        assert loop.condition.op.type == "Less"
        assert names(outside for outside, _ in loop.constants) == {"by"}
        kinds = {variable.handed.op.type for variable in loop.variables}
        assert kinds <= {"Add", "AddV2", "Mul"}


def test_what_a_loop_within_a_loop_takes_is_its_own(v1):
    from exporter.frames import loop_of

    x = v1.placeholder(v1.float32, [3], "x")

    def turn(i, y):
        _, z = v1.while_loop(
            lambda j, _: j < i, lambda j, z: (j + 1, z + y), [v1.constant(0), y]
        )
        return i + 1, z

    _, end = v1.while_loop(lambda i, _: i < 4, turn, [v1.constant(0), x])
    outer = loop_of(end.op)
    assert len(outer.variables) == 2
    assert not outer.constants
    (inner_end,) = {
        v.handed.op.inputs[0].op if v.handed.op.type == "Identity" else v.handed.op
        for v in outer.variables
        if v.handed.dtype == v1.float32
    }
    inner = loop_of(inner_end)
    assert len(inner.variables) == 2
    assert len(inner.constants) == 2


def test_a_branch_is_told_from_the_one_it_lies_in(v1):
    from exporter.frames import meeting_of

    x = v1.placeholder(v1.float32, [3], "x")
    first = v1.placeholder(v1.bool, [], "first")
    second = v1.placeholder(v1.bool, [], "second")
    met = v1.cond(
        first, lambda: v1.cond(second, lambda: x + 1, lambda: x + 2), lambda: x + 3
    )
    outer = meeting_of(met.op)
    assert outer.decides.op.inputs[0].op.name == "first"
    assert names(outer.taken) >= {"x", "second"}
    inner = next(
        op
        for op in met.graph.get_operations()
        if op.type == "Merge" and op is not met.op and op.outputs[0].dtype == v1.float32
    )
    assert "second" not in {meeting_of(inner).if_true.op.name}
    assert meeting_of(inner).decides is not outer.decides


def test_branches_that_nothing_decides_between_are_refused(v1):
    from tensorflow.python.ops.control_flow_ops import merge

    from exporter.frames import meeting_of

    x = v1.placeholder(v1.float32, [3], "x")
    met, _ = merge([x + 1, x + 2])
    with pytest.raises(ExportError, match="no one condition sets apart"):
        meeting_of(met.op)


def test_each_operation_comes_behind_what_it_follows_from(v1):
    from exporter.frames import ordered, sources_of

    x = v1.placeholder(v1.float32, [3], "x")
    y = x * 2
    z = y + v1.exp(y) + x
    order = [operation.name for operation in ordered([z], sources_of)]
    assert order.index("x") < order.index(y.op.name) < order.index("Exp")
    assert order[-1] == z.op.name
    assert len(set(order)) == len(order)
