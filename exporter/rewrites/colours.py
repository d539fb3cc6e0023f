"""``RGBToHSV``, ``HSVToRGB``, and ``AdjustSaturation``, which uses both.

ONNX and tf2onnx 1.17 lack the first two; tf2onnx's version of the last one answers NaN
for black.

Source: tensorflow/core/kernels/image/colorspace_op.h.
"""

from __future__ import annotations

import tensorflow as tf

from exporter.rewrites.registry import lowering


@lowering("RGBToHSV")
def lower_rgb(operation: tf.Operation, images: tf.Tensor) -> tf.Tensor:
    """``(..., 3)`` red, green, blue, 0 to 1 -> hue, saturation, value, 0 to 1."""
    red, green, blue = tf.unstack(images, 3, axis=-1)
    value = tf.reduce_max(images, axis=-1)
    spread = value - tf.reduce_min(images, axis=-1)
    one, zero = tf.ones_like(value), tf.zeros_like(value)
    saturation = tf.where(value > 0, spread / tf.where(value > 0, value, one), zero)
    sixth = one / 6 / tf.where(spread > 0, spread, one)
    hue = tf.where(
        tf.equal(red, value),
        sixth * (green - blue),
        tf.where(
            tf.equal(green, value),
            sixth * (blue - red) + one * 2 / 6,
            sixth * (red - green) + one * 4 / 6,
        ),
    )
    hue = tf.where(spread > 0, hue, zero)
    return tf.stack([tf.where(hue < 0, hue + one, hue), saturation, value], axis=-1)


@lowering("HSVToRGB")
def lower_hsv(operation: tf.Operation, images: tf.Tensor) -> tf.Tensor:
    """``(..., 3)`` hue, saturation, value -> red, green, blue."""
    hue, saturation, value = tf.unstack(images, 3, axis=-1)
    sector = hue * 6

    def share(distance: tf.Tensor) -> tf.Tensor:
        return tf.clip_by_value(
            distance, tf.zeros([], value.dtype), tf.ones([], value.dtype)
        )

    full = (
        share(tf.abs(sector - 3) - 1),
        share(2 - tf.abs(sector - 2)),
        share(2 - tf.abs(sector - 4)),
    )
    return tf.stack(
        [(1 - saturation + saturation * colour) * value for colour in full], axis=-1
    )


@lowering("AdjustSaturation")
def lower_saturation(
    operation: tf.Operation, images: tf.Tensor, scale: tf.Tensor
) -> tf.Tensor:
    """Multiply the saturation of ``(..., 3)`` pictures by a number, up to 1."""
    hue, saturation, value = tf.unstack(tf.image.rgb_to_hsv(images), 3, axis=-1)
    saturation = tf.clip_by_value(saturation * tf.cast(scale, images.dtype), 0.0, 1.0)
    return tf.image.hsv_to_rgb(tf.stack([hue, saturation, value], axis=-1))
