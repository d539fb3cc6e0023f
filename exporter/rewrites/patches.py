"""``ExtractImagePatches`` with padding, which tf2onnx 1.17 writes as no valid graph.

And what a window sees of a picture, for others that walk over one.
"""

from __future__ import annotations

from collections.abc import Sequence

import tensorflow as tf

from exporter.rewrites.registry import lowering


def padded(
    images: tf.Tensor,
    window: Sequence[int],
    strides: Sequence[int],
    rates: Sequence[int],
    value: float = 0,
) -> tf.Tensor:
    """``(N, H, W, C)`` with the edges that ``SAME`` means."""
    edges: list[Sequence[tf.Tensor | int]] = [[0, 0]]
    for axis in range(2):
        length = images.shape[axis + 1]
        length = tf.shape(images)[axis + 1] if length is None else length
        reach = (window[axis] - 1) * rates[axis] + 1
        steps = (length + strides[axis] - 1) // strides[axis]
        both = tf.maximum((steps - 1) * strides[axis] + reach - length, 0)
        edges.append([both // 2, both - both // 2])
    edges.append([0, 0])
    return tf.pad(images, edges, constant_values=tf.constant(value, images.dtype))


def shifted(
    images: tf.Tensor,
    place: Sequence[int],
    reach: Sequence[int],
    strides: Sequence[int],
) -> tf.Tensor:
    """What all windows see at one place of them.

    Args:
        images: ``(N, H, W, C)``, padded.
        place: in a window, row and column.
        reach: how far the last place of a window is from its first.
        strides: between windows.
    """
    height, width = tf.shape(images)[1], tf.shape(images)[2]
    down = slice(place[0], height - reach[0] + place[0], strides[0])
    right = slice(place[1], width - reach[1] + place[1], strides[1])
    return images[:, down, right]


@lowering("ExtractImagePatches")
def lower_patches(operation: tf.Operation, images: tf.Tensor) -> tf.Tensor | None:
    """Padded first, and then without; None where there is no padding."""
    if operation.get_attr("padding") == b"VALID":
        return None
    sizes, strides, rates = (
        operation.get_attr(name) for name in ("ksizes", "strides", "rates")
    )
    images = padded(images, sizes[1:3], strides[1:3], rates[1:3])
    return tf.image.extract_patches(images, sizes, strides, rates, "VALID")
