"""``ExtractImagePatches`` with padding, for which tf2onnx 1.17 writes invalid ONNX.

Other rewrites that move a window over a picture use these functions, too.
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
    """Pad ``(N, H, W, C)`` as ``SAME`` demands."""
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
    """The pixel at one place of every window.

    Args:
        images: ``(N, H, W, C)`` of any dtype, padded.
        place: the row and the column in a window.
        reach: the distance from the first to the last place of a window.
        strides: the distances between windows.
    """
    height, width = tf.shape(images)[1], tf.shape(images)[2]
    down = slice(place[0], height - reach[0] + place[0], strides[0])
    right = slice(place[1], width - reach[1] + place[1], strides[1])
    return images[:, down, right]


@lowering("ExtractImagePatches")
def lower_patches(operation: tf.Operation, images: tf.Tensor) -> tf.Tensor | None:
    """Pad first, then extract; None if there is no padding."""
    if operation.get_attr("padding") == b"VALID":
        return None
    sizes, strides, rates = (
        operation.get_attr(name) for name in ("ksizes", "strides", "rates")
    )
    images = padded(images, sizes[1:3], strides[1:3], rates[1:3])
    return tf.image.extract_patches(images, sizes, strides, rates, "VALID")
