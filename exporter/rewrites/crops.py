"""``CropAndResize``: cut parts out of pictures at one size, as detectors do.

tf2onnx 1.17 writes a Loop around a Resize that has both sizes and scales, which ONNX
forbids. Source: tensorflow/core/kernels/image/crop_and_resize_op.cc.
"""

from __future__ import annotations

import tensorflow as tf

from exporter.rewrites.registry import lowering


@lowering("CropAndResize")
def lower_crops(
    operation: tf.Operation,
    images: tf.Tensor,
    boxes: tf.Tensor,
    of: tf.Tensor,
    size: tf.Tensor,
) -> tf.Tensor:
    """Compute the pixels of each crop from their neighbours.

    Args:
        operation: its attributes are ``method`` and ``extrapolation_value``.
        images: ``(N, H, W, C)`` of any real or whole dtype.
        boxes: ``(K, 4)`` float32: top, left, bottom, right; 0 and 1 are the outermost
            pixels.
        of: ``(K,)`` int32, the image of each box.
        size: ``(2,)`` int32, the height and width of all crops.

    Returns:
        ``(K, height, width, C)`` float32.
    """
    images = tf.cast(images, tf.float32)
    top, left, bottom, right = tf.unstack(boxes, 4, axis=1)
    down, is_down = _places(top, bottom, tf.shape(images)[1], size[0])
    across, is_across = _places(left, right, tf.shape(images)[2], size[1])

    def pixels(rows: tf.Tensor, columns: tf.Tensor) -> tf.Tensor:
        shape = [tf.shape(rows)[0], size[0], size[1]]
        place = [
            tf.broadcast_to(of[:, tf.newaxis, tf.newaxis], shape),
            tf.broadcast_to(tf.cast(rows, tf.int32)[:, :, tf.newaxis], shape),
            tf.broadcast_to(tf.cast(columns, tf.int32)[:, tf.newaxis, :], shape),
        ]
        return tf.gather_nd(images, tf.stack(place, axis=-1))

    if operation.get_attr("method") == b"nearest":
        # Halves are rounded away from 0, as by roundf; places are not negative.
        found = pixels(tf.floor(down + 0.5), tf.floor(across + 0.5))
    else:
        low, near = tf.floor(down), tf.floor(across)
        share = (across - near)[:, tf.newaxis, :, tf.newaxis]
        above, below = (
            pixels(row, near)
            + (pixels(row, tf.math.ceil(across)) - pixels(row, near)) * share
            for row in (low, tf.math.ceil(down))
        )
        found = above + (below - above) * (down - low)[:, :, tf.newaxis, tf.newaxis]
    is_inside = is_down[:, :, tf.newaxis] & is_across[:, tf.newaxis, :]
    outside = tf.constant(operation.get_attr("extrapolation_value"))
    cropped = tf.where(is_inside[..., tf.newaxis], found, outside)
    cropped.set_shape(operation.outputs[0].shape)
    return cropped


def _places(
    first: tf.Tensor, last: tf.Tensor, side: tf.Tensor, count: tf.Tensor
) -> tuple[tf.Tensor, tf.Tensor]:
    """The place of each pixel ``(K, count)``, and whether it is inside the image."""
    greatest = tf.cast(side - 1, tf.float32)
    steps = tf.cast(tf.maximum(count - 1, 1), tf.float32)
    step = ((last - first) * greatest / steps)[:, tf.newaxis]
    row = tf.cast(tf.range(count), tf.float32)[tf.newaxis]
    # A single pixel comes from the middle.
    middle = (0.5 * (first + last) * greatest)[:, tf.newaxis]
    place = tf.where(count > 1, (first * greatest)[:, tf.newaxis] + row * step, middle)
    is_inside = (place >= 0) & (place <= greatest)
    return tf.where(is_inside, place, 0.0), is_inside
