"""TensorFlow 1 wrote loops and branches like these: circles, switches and merges.

The cells are written by hand, because TensorFlow 1's were moved into Keras 2. Answers
are reshaped, because TensorFlow itself forgets the rank at the end of a frozen loop.
"""

from __future__ import annotations

from typing import Any

import tensorflow as tf

from tests.zoo.graphs.written import frozen, weights

WIDTH, UNITS = 3, 4


def lstm(v1: Any, x: Any, states: Any, name: str) -> tuple[Any, Any]:
    """Return output and states of ``(N, C)`` and two states, as BasicLSTMCell does."""
    hidden, cell = states
    with v1.name_scope(name):
        joined = v1.concat([x, hidden], 1)
        kernel = v1.constant(weights(joined.shape[1], 4 * UNITS))
        i, j, f, o = v1.split(v1.matmul(joined, kernel), 4, axis=1)
        cell = cell * v1.sigmoid(f + 1.0) + v1.sigmoid(i) * v1.tanh(j)
        hidden = v1.tanh(cell) * v1.sigmoid(o)
    return hidden, (hidden, cell)


def recur(v1: Any, x: Any, length: Any = None, name: str = "rnn") -> tuple[Any, Any]:
    """Return all outputs and last states of ``(N, T, C)``, as tf.nn.dynamic_rnn."""
    with v1.name_scope(name):
        steps = v1.transpose(x, [1, 0, 2])
        count, batch = v1.shape(steps)[0], v1.shape(steps)[1]
        read = v1.TensorArray(tf.float32, count, element_shape=[None, x.shape[-1]])
        read = read.unstack(steps)
        write = v1.TensorArray(tf.float32, count, element_shape=[None, UNITS])
        zero = v1.zeros([batch, UNITS])

        def turn(time: Any, write: Any, hidden: Any, cell: Any) -> Any:
            output, after = lstm(v1, read.read(time), (hidden, cell), "cell")
            if length is not None:
                is_past = v1.reshape(time >= length, [-1, 1])
                is_past = v1.logical_and(is_past, v1.ones_like(hidden, tf.bool))
                output = v1.where(is_past, v1.zeros_like(output), output)
                after = tuple(
                    v1.where(is_past, old, new)
                    for old, new in zip((hidden, cell), after, strict=True)
                )
            return time + 1, write.write(time, output), *after

        _, write, *states = v1.while_loop(
            lambda time, *_: time < count, turn, [0, write, zero, zero]
        )
        outputs = v1.transpose(write.stack(), [1, 0, 2])
    outputs.set_shape([None, None, UNITS])
    return outputs, states


def steps(v1: Any, count: int | None = None) -> Any:
    """Return the input of most graphs."""
    return v1.placeholder(tf.float32, [None, count, WIDTH], name="x")


@frozen()
def dynamic_rnn(v1: Any) -> Any:
    """Run one layer over any length, and take a class of its last state."""
    _, (hidden, _) = recur(v1, steps(v1))
    return v1.nn.softmax(v1.matmul(hidden, v1.constant(weights(UNITS, 3))))


@frozen()
def stacked_dynamic_rnn(v1: Any) -> Any:
    """Run two layers, one loop after the other, and return all outputs."""
    outputs, _ = recur(v1, steps(v1))
    outputs, _ = recur(v1, outputs, name="second")
    return outputs


@frozen()
def bidirectional_dynamic_rnn(v1: Any) -> Any:
    """Run forward and backward, and turn the backward outputs round."""
    x = steps(v1, 5)
    forward, _ = recur(v1, x, name="forward")
    backward, _ = recur(v1, v1.reverse(x, [1]), name="backward")
    return v1.concat([forward, v1.reverse(backward, [1])], 2)


@frozen()
def dynamic_rnn_of_lengths(v1: Any) -> Any:
    """Ignore the steps past a row's length, which its zeros tell."""
    x = v1.nn.relu(steps(v1, 6))
    length = v1.reduce_sum(v1.cast(v1.reduce_any(x > 0, axis=2), tf.int32), axis=1)
    outputs, (hidden, cell) = recur(v1, x, length)
    return v1.concat([v1.reduce_sum(outputs, 1), hidden, cell], 1)


@frozen()
def static_rnn(v1: Any) -> Any:
    """Unroll the steps, as tf.nn.static_rnn does."""
    x = steps(v1, 4)
    zero = v1.zeros([v1.shape(x)[0], UNITS])
    states, outputs = (zero, zero), []
    for step in v1.unstack(x, axis=1):
        output, states = lstm(v1, step, states, f"step{len(outputs)}")
        outputs.append(output)
    return v1.stack(outputs, axis=1)


@frozen(x=(1, 50))
def loop_by_value(v1: Any) -> Any:
    """Run as many turns as the numbers need."""
    x = v1.placeholder(tf.float32, [None, 3], name="x")
    halved, turns = v1.while_loop(
        lambda y, _: v1.reduce_max(y) > 1.0, lambda y, n: (y / 2.0, n + 1), [x, 0]
    )
    counted = v1.reshape(v1.cast(turns, tf.float32), [1, 1])
    return v1.reshape(halved, [-1, 3]) + counted


@frozen()
def loop_that_grows(v1: Any) -> Any:
    """Widen a tensor in each turn, as a decoder's answer grows."""
    x = v1.placeholder(tf.float32, [None, 2], name="x")
    _, grown = v1.while_loop(
        lambda i, _: i < 3,
        lambda i, y: (i + 1, v1.concat([y, y[:, -1:] * 0.5], 1)),
        [0, x],
        shape_invariants=[tf.TensorShape([]), tf.TensorShape([None, None])],
    )
    return v1.reshape(v1.reduce_sum(grown, 1), [-1, 1])


@frozen()
def loop_in_a_loop(v1: Any) -> Any:
    """Use two counters."""
    x = v1.placeholder(tf.float32, [None, 3], name="x")

    def turn(i: Any, y: Any) -> Any:
        _, y = v1.while_loop(
            lambda j, _: j < i + 1,
            lambda j, z: (j + 1, z * 0.9 + v1.cast(j, tf.float32) + x),
            [0, y],
        )
        return i + 1, y

    return v1.reshape(v1.while_loop(lambda i, _: i < 3, turn, [0, x])[1], [-1, 3])


@frozen(x=(-1, 1))
def branches(v1: Any) -> Any:
    """Choose one of two branches by the data, and one of two within it."""
    x = v1.placeholder(tf.float32, [None, 3], name="x")
    mean = v1.reduce_mean(x)
    return v1.cond(
        mean > 0.0,
        lambda: v1.cond(mean > 0.3, lambda: x * 2.0, lambda: v1.zeros_like(x) + mean),
        lambda: v1.constant(7.0) - x,
    )


@frozen(x=(-1, 1))
def branch_of_a_constant(v1: Any) -> Any:
    """Use a branch to which only its switch's control leads."""
    x = v1.placeholder(tf.float32, [None, 3], name="x")
    share = v1.cond(
        v1.reduce_sum(x) > 0, lambda: v1.constant(0.25), lambda: v1.constant(4.0)
    )
    return x * share


@frozen(x=(-1, 1))
def branch_in_a_loop(v1: Any) -> Any:
    """Take another step in each turn."""
    x = v1.placeholder(tf.float32, [None, 3], name="x")
    _, y = v1.while_loop(
        lambda i, _: i < 4,
        lambda i, y: (
            i + 1,
            v1.cond(v1.reduce_sum(y) > 0, lambda: y * 0.5 - 0.3, lambda: y + x * x),
        ),
        [0, x],
    )
    return v1.reshape(y, [-1, 3])


@frozen(x=(-1, 1))
def loop_in_a_branch(v1: Any) -> Any:
    """Run a loop for some inputs only."""
    x = v1.placeholder(tf.float32, [None, 3], name="x")
    y = v1.cond(
        v1.reduce_sum(x) > 0,
        lambda: v1.while_loop(
            lambda i, _: i < 3, lambda i, y: (i + 1, y * x + 1.0), [0, x]
        )[1],
        lambda: -x,
    )
    return v1.reshape(y, [-1, 3])


@frozen()
def mapped(v1: Any) -> Any:
    """Run tf.map_fn over the batch."""
    x = v1.placeholder(tf.float32, [None, 4], name="x")
    each = v1.map_fn(lambda row: v1.cumsum(row) * v1.reduce_max(row), x)
    return v1.reshape(each, [-1, 4])


@frozen()
def scanned(v1: Any) -> Any:
    """Run tf.scan over columns; the first answer is written before the loop."""
    x = v1.placeholder(tf.float32, [None, 4], name="x")
    sums = v1.scan(lambda a, b: 0.5 * a + b, v1.transpose(x))
    return v1.reshape(v1.transpose(sums), [-1, 4])


@frozen(x=(-1, 1))
def training_switch(v1: Any) -> Any:
    """Use the batch's statistics or learned ones, by a flag that is off unless fed."""
    x = v1.placeholder(tf.float32, [None, 3], name="x")
    is_training = v1.placeholder_with_default(False, [], name="is_training")
    mean, variance = v1.cond(
        is_training,
        lambda: v1.nn.moments(x, [0]),
        lambda: (v1.constant([0.1, -0.2, 0.3]), v1.constant([0.5, 1.5, 1.0])),
    )
    return (x - mean) * v1.rsqrt(variance + 1e-3)
