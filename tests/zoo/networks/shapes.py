"""Cut, join and reshape tensors by tf.*, with sizes that only the data tells."""

from __future__ import annotations

import keras
import tensorflow as tf

from tests.zoo.networks.built import network, of_tensors


@network()
def slices() -> keras.Model:
    """Use ellipses, new axes, negative steps, and computed ends."""
    return of_tensors(
        lambda x: (
            x[..., ::2],
            x[:, 1:-1, tf.newaxis],
            x[:, ::-1, 1:3],
            x[..., -1],
            x[:, : tf.shape(x)[1] // 2],
            tf.strided_slice(x, [0, 3, 0], [99, 0, 4], [1, -1, 2], begin_mask=1),
        ),
        x=(None, 6),
    )


@network()
def reshapes() -> keras.Model:
    """Reshape by sizes that the data tells."""

    def run(x: tf.Tensor) -> tuple[tf.Tensor, ...]:
        batch, steps = tf.shape(x)[0], tf.shape(x)[1]
        return (
            tf.reshape(x, [batch * steps, 6])[:, :3],
            tf.reshape(x, tf.stack([batch, steps, 2, 3])),
            tf.transpose(tf.reshape(x, [batch, -1, 3]), [2, 0, 1]),
            tf.squeeze(tf.expand_dims(x, 2), axis=[2]),
            tf.broadcast_to(x[:, :1], tf.shape(x)),
            tf.cast(tf.size(x), tf.float32) + tf.cast(tf.rank(x), tf.float32),
        )

    return of_tensors(run, x=(None, 6))


@network()
def joints() -> keras.Model:
    """Split, unstack, tile, repeat, roll and reverse, and join again."""

    def run(x: tf.Tensor) -> tuple[tf.Tensor, ...]:
        first, second, third = tf.split(x, [1, 2, 3], axis=-1)
        a, b, c, d = tf.unstack(x, axis=1)
        return (
            tf.concat([third, first, second], axis=-1),
            tf.stack([a + b, c * d], axis=0),
            tf.tile(x, [1, 2, 1]),
            tf.repeat(x, [1, 0, 2, 1], axis=1),
            tf.repeat(x, 2, axis=2),
            tf.roll(x, 2, axis=1),
            tf.reverse(x, axis=[1, 2]),
            tf.parallel_stack([x[0], x[0]]) if False else tf.reverse(x, [0]),
        )

    return of_tensors(run, x=(4, 6))


@network()
def edges() -> keras.Model:
    """Pad in every way."""
    wide = [[0, 0], [1, 2], [0, 1]]
    return of_tensors(
        lambda x: (
            tf.pad(x, wide),
            tf.pad(x, wide, constant_values=3.0),
            tf.pad(x, wide, "REFLECT"),
            tf.pad(x, wide, "SYMMETRIC"),
            tf.image.pad_to_bounding_box(x[..., tf.newaxis], 1, 2, 8, 9),
        ),
        x=(4, 5),
    )


@network(length=(0, 6))
def sequences() -> keras.Model:
    """Mask by length, and turn sequences round within their length."""

    def run(x: tf.Tensor, length: tf.Tensor) -> tuple[tf.Tensor, ...]:
        return (
            tf.sequence_mask(length, 6),
            tf.sequence_mask(length, 6, dtype=tf.float32)[..., tf.newaxis] * x,
            tf.reverse_sequence(x, length, seq_axis=1),
            tf.where(tf.sequence_mask(length, 6), x[..., 0], -1.0),
        )

    return of_tensors(run, x=(6, 2), length={"shape": (), "dtype": "int32"})


@network()
def grids() -> keras.Model:
    """Make tensors from a shape alone."""

    def run(x: tf.Tensor) -> tuple[tf.Tensor, ...]:
        steps = tf.shape(x)[1]
        down, across = tf.meshgrid(tf.range(steps), tf.range(4), indexing="ij")
        batch = tf.shape(x)[:1]
        return (
            x + tf.cast(down + across, tf.float32),
            x * tf.linspace(0.0, 1.0, 4),
            tf.eye(4, batch_shape=batch),
            tf.fill([tf.shape(x)[0], 2], 0.5) + tf.reduce_sum(x),
            tf.linalg.band_part(tf.ones([steps, steps]), -1, 0)[tf.newaxis]
            + x[:, :1, :1],
            tf.ones_like(x) - tf.zeros_like(x),
        )

    return of_tensors(run, x=(None, 4))


@network()
def blocks() -> keras.Model:
    """Move numbers between space, depth and batch."""

    def run(x: tf.Tensor) -> tuple[tf.Tensor, ...]:
        batches = tf.space_to_batch(x, [2, 2], [[0, 0], [2, 0]])
        return (
            tf.nn.space_to_depth(x, 2),
            tf.nn.depth_to_space(x, 2),
            tf.batch_to_space(tf.sin(batches), [2, 2], [[0, 0], [2, 0]]),
            tf.image.extract_patches(
                x, [1, 3, 3, 1], [1, 1, 1, 1], [1, 1, 1, 1], "SAME"
            ),
        )

    return of_tensors(run, x=(4, 6, 4))
