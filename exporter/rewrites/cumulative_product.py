"""``Cumprod``: ONNX only has the cumulative sum."""

from __future__ import annotations

import tensorflow as tf

from exporter.rewrites.registry import lowering


@lowering("Cumprod")
def lower_cumprod(
    operation: tf.Operation, x: tf.Tensor, axis: tf.Tensor
) -> tf.Tensor | None:
    """Multiply prefixes that double in length, in log2(N) steps."""
    at = tf.get_static_value(axis)
    if at is None or x.shape.rank is None:
        return None
    at = int(at) % x.shape.rank
    if operation.get_attr("reverse"):
        x = tf.reverse(x, [at])
    length = tf.shape(x)[at]
    if operation.get_attr("exclusive"):
        x = _moved(x, at, tf.minimum(1, length), length)
    _, x = tf.while_loop(
        lambda shift, x: shift < length,
        lambda shift, x: (shift * 2, x * _moved(x, at, shift, length)),
        (tf.constant(1), x),
        shape_invariants=(tf.TensorShape([]), x.shape),
    )
    return tf.reverse(x, [at]) if operation.get_attr("reverse") else x


def _moved(x: tf.Tensor, axis: int, by: tf.Tensor, length: tf.Tensor) -> tf.Tensor:
    """Move each number ``by`` places on; ones fill the beginning."""
    rank = x.shape.rank
    size = tf.tensor_scatter_nd_update(tf.shape(x), [[axis]], [length - by])
    kept = tf.slice(x, [0] * rank, size)
    before = tf.stack([by if i == axis else tf.zeros_like(by) for i in range(rank)])
    around = tf.stack([before, tf.zeros_like(before)], axis=1)
    moved = tf.pad(kept, around, constant_values=tf.constant(1, x.dtype))
    moved.set_shape(x.shape)
    return moved
