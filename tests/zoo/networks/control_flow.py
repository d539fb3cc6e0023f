"""tf.function and AutoGraph write loops and branches like these."""

from __future__ import annotations

from typing import Any

import keras
import tensorflow as tf
from keras import layers

from tests.zoo.networks.built import Function, network, of_tensors


@network(x=(-1, 1))
def while_loop() -> keras.Model:
    """Take the steps of an iteration a fixed number of times."""

    def power(x: tf.Tensor) -> tf.Tensor:
        return tf.while_loop(
            lambda i, _: i < 4,
            lambda i, y: (i + 1, 0.5 * y * y + x),
            [tf.constant(0), tf.zeros_like(x)],
        )[1]

    return of_tensors(power, x=(3,))


@network(x=(1, 50))
def while_loop_by_value() -> keras.Model:
    """Take as many steps as the data needs."""

    def halve(x: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        return tf.while_loop(
            lambda y, _: tf.reduce_max(y) > 1.0,
            lambda y, steps: (y / 2.0, steps + tf.cast(y > 1.0, tf.int32)),
            [x, tf.zeros_like(x, tf.int32)],
        )

    return of_tensors(halve, x=(3,))


@network(x=(-1, 1))
def loop_with_weights() -> keras.Model:
    """Run one dense layer to an equilibrium; the loop captures its weights."""

    class Equilibrium(layers.Layer):
        def build(self, shape: Any) -> None:
            self.dense = layers.Dense(4, activation="tanh")
            self.dense.build((None, 4))

        def call(self, x: Any) -> Any:
            return keras.ops.while_loop(
                lambda i, z: i < 5,
                lambda i, z: (i + 1, 0.5 * self.dense(z) + x),
                (0, keras.ops.zeros_like(x)),
            )[1]

    x = keras.Input((4,), name="x")
    return keras.Model(x, Equilibrium()(x))


@network(x=(-1, 1))
def loop_in_a_loop() -> keras.Model:
    """Use two counters."""

    def body(i: tf.Tensor, y: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        _, z = tf.while_loop(
            lambda j, _: j < i + 1,
            lambda j, z: (j + 1, z * 0.9 + tf.cast(j, tf.float32)),
            [tf.constant(0), y],
        )
        return i + 1, z

    return of_tensors(
        lambda x: tf.while_loop(lambda i, _: i < 3, body, [tf.constant(0), x])[1],
        x=(3,),
    )


@network(x=(-1, 1))
def autograph() -> keras.Model:
    """Write ``for`` and ``if`` as Python does, with ``break``."""

    @tf.function
    def run(x: tf.Tensor) -> tf.Tensor:
        total = tf.zeros_like(x[:, 0])
        for i in tf.range(tf.shape(x)[1]):
            total += x[:, i]
            if tf.reduce_sum(total) > 3.0:  # noqa: SIM108 - AutoGraph makes a branch
                total = total * 0.5
            else:
                total = total + 0.1
            if i > 3:
                break
        return total

    return of_tensors(run, x=(6,))


@network(x=(-1, 1))
def condition() -> keras.Model:
    """Choose one of two branches with weights in them, by the batch's mean."""

    class Either(layers.Layer):
        def build(self, shape: Any) -> None:
            self.left, self.right = layers.Dense(2), layers.Dense(2)
            self.left.build(shape)
            self.right.build(shape)

        def call(self, x: Any) -> Any:
            return tf.cond(
                tf.reduce_mean(x) > 0.0, lambda: self.left(x), lambda: self.right(x) * 2
            )

    x = keras.Input((3,), name="x")
    return keras.Model(x, Either()(x))


@network(x=(-1, 1))
def conditions_within() -> keras.Model:
    """Put a branch in a branch, and return several answers."""

    def choose(x: tf.Tensor) -> Any:
        mean = tf.reduce_mean(x)
        return tf.cond(
            mean > 0.0,
            lambda: tf.cond(mean > 0.2, lambda: (x, x * 2), lambda: (x + 1, x)),
            lambda: (-x, x - 1),
        )

    return of_tensors(choose, x=(3,))


@network(x=(-1, 1), which=(0, 3))
def switch_case() -> keras.Model:
    """Choose one of several branches by a number in the data, with a default."""

    def choose(x: tf.Tensor, which: tf.Tensor) -> tf.Tensor:
        return tf.switch_case(
            tf.reduce_max(which),
            {0: lambda: x, 1: lambda: x * x, 2: lambda: tf.exp(x)},
            default=lambda: -x,
        )

    return of_tensors(choose, x=(3,), which={"shape": (), "dtype": "int32"})


@network(x=(-1, 1))
def mapped() -> keras.Model:
    """Use ``tf.map_fn``, ``tf.vectorized_map`` and ``tf.scan`` on batch and steps."""

    def run(x: tf.Tensor) -> tuple[tf.Tensor, ...]:
        each = tf.map_fn(lambda row: tf.cumsum(row) * tf.reduce_max(row), x)
        at_once = tf.vectorized_map(
            lambda row: row / (1 + tf.norm(row, keepdims=True)), x
        )
        steps = tf.scan(lambda a, b: 0.5 * a + b, tf.transpose(x))
        return each, at_once, tf.transpose(steps)

    return of_tensors(run, x=(4,))


@network(x=(-1, 1))
def tensor_array() -> keras.Model:
    """Write an array in a loop, step by step."""

    def run(x: tf.Tensor) -> tf.Tensor:
        written = tf.TensorArray(tf.float32, tf.shape(x)[1], element_shape=[None])
        state = tf.zeros_like(x[:, 0])
        _, state, written = tf.while_loop(
            lambda i, *_: i < tf.shape(x)[1],
            lambda i, s, w: (
                i + 1,
                tf.tanh(s + x[:, i]),
                w.write(i, tf.tanh(s + x[:, i])),
            ),
            [tf.constant(0), state, written],
        )
        return tf.transpose(written.stack())

    return of_tensors(run, x=(None,))


@network(x=(-1, 1))
def beam() -> keras.Model:
    """Find the three best paths through a table, step by step (Viterbi-like)."""

    class Paths(layers.Layer):
        def build(self, shape: Any) -> None:
            self.moves = self.add_weight(shape=(4, 4), name="moves")

        def call(self, scores: Any) -> Any:
            best, back = scores[:, 0], []
            for step in range(1, scores.shape[1]):
                every = best[:, :, tf.newaxis] + self.moves
                back.append(tf.argmax(every, axis=1, output_type=tf.int32))
                best = tf.reduce_max(every, axis=1) + scores[:, step]
            tag = tf.argmax(best, axis=-1, output_type=tf.int32)
            path = [tag]
            for came in reversed(back):
                tag = tf.gather(came, tag, batch_dims=1)
                path.append(tag)
            return tf.stack(path[::-1], axis=1), tf.reduce_max(best, axis=-1)

    x = keras.Input((5, 4), name="x")
    return keras.Model(x, Paths()(x))


@network(x=(-1, 1))
def signal_steps() -> keras.Model:
    """Run a filter's loop between two dense layers."""

    def smooth(x: tf.Tensor) -> tf.Tensor:
        _, last, mean = tf.while_loop(
            lambda i, *_: i < 6,
            lambda i, last, mean: (
                i + 1,
                x[:, i],
                mean + 0.3 * (x[:, i] - mean) * tf.cast(i % 2 == 0, tf.float32) + last,
            ),
            [tf.constant(0), tf.zeros_like(x[:, 0]), tf.zeros_like(x[:, 0])],
        )
        return tf.stack([last, mean], axis=-1)

    x = keras.Input((3,), name="x")
    return keras.Model(x, layers.Dense(2)(Function(smooth)(layers.Dense(6)(x))))
