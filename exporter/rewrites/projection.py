"""``ImageProjectiveTransformV3``: pictures that are turned, moved and bent."""

from __future__ import annotations

import tensorflow as tf

from exporter.rewrites.registry import lowering


@lowering("ImageProjectiveTransformV3", "ImageProjectiveTransformV2")
def lower_projection(
    operation: tf.Operation,
    images: tf.Tensor,
    transforms: tf.Tensor,
    size: tf.Tensor,
    *fill: tf.Tensor,
) -> tf.Tensor:
    """Take each point of the answer from where the transform says.

    Args:
        operation: has ``interpolation`` and ``fill_mode``.
        images: ``(N, H, W, C)`` of any real or whole dtype.
        transforms: ``(N, 8)`` or ``(1, 8)`` float32: a0, a1, a2, b0, b1, b2, c0, c1.
            The point (x, y) is taken from ``(a0 x + a1 y + a2) / k, (b0 x + b1 y + b2)
            / k`` with ``k = c0 x + c1 y + 1``.
        size: ``(2,)`` int32, the height and width of the answer.
        fill: the value outside of the picture if the mode is ``CONSTANT``.
    """
    rows = tf.cast(tf.range(size[0])[:, tf.newaxis], tf.float32)
    columns = tf.cast(tf.range(size[1])[tf.newaxis], tf.float32)
    a0, a1, a2, b0, b1, b2, c0, c1 = (
        part[:, :, tf.newaxis] for part in tf.split(transforms, 8, axis=1)
    )
    depth = c0 * columns + c1 * rows + 1
    # A point at infinity is outside of every picture.
    is_far = tf.equal(depth, 0)
    depth = tf.where(is_far, tf.ones_like(depth), depth)
    batch = tf.shape(images)[0]
    shape = tf.stack([batch, size[0], size[1]])
    x = tf.broadcast_to((a0 * columns + a1 * rows + a2) / depth, shape)
    y = tf.broadcast_to((b0 * columns + b1 * rows + b2) / depth, shape)
    mode = operation.get_attr("fill_mode").decode()
    height, width = tf.shape(images)[1], tf.shape(images)[2]
    x, y = _mapped(x, width, mode), _mapped(y, height, mode)
    outside = tf.cast(fill[0] if fill else 0, images.dtype)

    def at(row: tf.Tensor, column: tf.Tensor) -> tf.Tensor:
        """The picture's points; ``outside`` where the picture has none."""
        row, column = tf.cast(row, tf.int32), tf.cast(column, tf.int32)
        is_in = (row >= 0) & (row < height) & (column >= 0) & (column < width)
        safe_row = tf.clip_by_value(row, 0, height - 1)
        safe_column = tf.clip_by_value(column, 0, width - 1)
        flat = tf.reshape(images, tf.stack([batch, height * width, -1]))
        places = tf.reshape(safe_row * width + safe_column, tf.stack([batch, -1]))
        found = tf.gather(flat, places, batch_dims=1)
        found = tf.reshape(found, tf.concat([shape, tf.shape(images)[3:]], 0))
        return tf.where(is_in[..., tf.newaxis], found, outside)

    if operation.get_attr("interpolation") == b"NEAREST":
        answer = at(_rounded(y), _rounded(x))
    else:
        top, left = tf.floor(y), tf.floor(x)
        below = tf.cast((y - top)[..., tf.newaxis], tf.float32)
        right = tf.cast((x - left)[..., tf.newaxis], tf.float32)

        def across(row: tf.Tensor) -> tf.Tensor:
            first = tf.cast(at(row, left), tf.float32)
            second = tf.cast(at(row, left + 1), tf.float32)
            return (1 - right) * first + right * second

        answer = (1 - below) * across(top) + below * across(top + 1)
        answer = tf.cast(answer, images.dtype)
    is_far = tf.broadcast_to(is_far, shape)[..., tf.newaxis]
    answer = tf.where(is_far, outside, answer)
    answer.set_shape(operation.outputs[0].shape)
    return answer


def _rounded(x: tf.Tensor) -> tf.Tensor:
    """Round halves away from zero, as C's ``round``; ``tf.round`` rounds to even."""
    return tf.sign(x) * tf.floor(tf.abs(x) + 0.5)


def _mapped(x: tf.Tensor, length: tf.Tensor, mode: str) -> tf.Tensor:
    """The place inside the picture that replaces a point outside."""
    side = tf.cast(length, x.dtype)
    match mode:
        case "NEAREST":
            return tf.clip_by_value(x, 0.0, side - 1)
        case "REFLECT":
            return tf.where(side <= 1, tf.zeros_like(x), _reflected(x, side))
        case "WRAP":
            return tf.where(side <= 1, tf.zeros_like(x), _wrapped(x, side))
    return x


def _reflected(x: tf.Tensor, side: tf.Tensor) -> tf.Tensor:
    """Map ... c b a | a b c d | d c b ... in the same steps as TensorFlow's kernel."""
    twice = 2 * side
    turns = tf.cast(tf.cast(-x / twice, tf.int32), x.dtype)
    low = tf.where(x < twice, twice * turns + x, x)
    low = tf.where(low < -side, low + twice, -low - 1)
    turns = tf.cast(tf.cast(x / twice, tf.int32), x.dtype)
    high = x - twice * turns
    high = tf.where(high >= side, twice - high - 1, high)
    found = tf.where(x < 0, low, tf.where(x > side - 1, high, x))
    return tf.clip_by_value(found, 0.0, side - 1)


def _wrapped(x: tf.Tensor, side: tf.Tensor) -> tf.Tensor:
    """Map ... c d | a b c d | a b ... with the kernel's period, which is one less."""
    period = side - 1
    turns = tf.cast(tf.cast(-x / period, tf.int32), x.dtype)
    low = x + side * (turns + 1)
    turns = tf.cast(tf.cast(x / period, tf.int32), x.dtype)
    high = x - side * turns
    found = tf.where(x < 0, low, tf.where(x > period, high, x))
    return tf.clip_by_value(found, 0.0, period)
