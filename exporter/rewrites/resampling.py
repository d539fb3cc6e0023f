"""``ScaleAndTranslate``, ``ResizeBicubic`` and ``ResizeArea``, by matrices.

tf2onnx 1.17 does not know the first one (Lanczos, and everything with antialiasing),
and takes the last one for the nearest neighbour (tensorflow-onnx pull request 2241). It
writes the second one as ONNX's Resize, which is finer than TensorFlow's table of 1024
steps, and which in ONNX Runtime cannot make a picture smaller. Each axis of the answer
is a weighted sum over the axis before, so one matrix for each axis gives it exactly.
The matrix of a known size is a constant.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import tensorflow as tf

from exporter.rewrites.registry import lowering

# kTableSize of resize_bicubic_op.cc.
_TABLE = 1024.0
# If the weights' sum is below this, the kernels reach nothing of the picture; see
# scale_and_translate_op.cc.
_LEAST = 1000.0 * 1.1754943508222875e-38

# Takes the lengths of the axis and of the answer as float32 scalars, and returns
# float32 weights ``(answer, length)``.
Weights = Callable[[tf.Tensor, tf.Tensor], tf.Tensor]


@lowering("ScaleAndTranslate")
def lower_scale(
    operation: tf.Operation,
    images: tf.Tensor,
    size: tf.Tensor,
    scale: tf.Tensor,
    translation: tf.Tensor,
) -> tf.Tensor | None:
    """Sum the pixels that a kernel reaches, see scale_and_translate_op.cc."""
    radius, kernel = _kernel(operation.get_attr("kernel_type").decode())
    is_antialiased = operation.get_attr("antialias")

    def along(axis: int) -> Weights:
        def weights(length: tf.Tensor, wanted: tf.Tensor) -> tf.Tensor:
            step = 1.0 / scale[axis]
            spread = tf.maximum(step, 1.0) if is_antialiased else tf.ones([])
            centre = (tf.range(wanted) + 0.5) * step - step * translation[axis]
            centre = centre[:, tf.newaxis]
            pixels = tf.range(length)[tf.newaxis] + 0.5
            distance = (pixels - centre) / spread
            is_near = tf.abs(distance) <= radius
            raw = tf.where(is_near, kernel(tf.abs(distance)), 0.0)
            is_outside = (centre < 0.0) | (centre > length)
            return _normalized(tf.where(is_outside, 0.0, raw))

        return weights

    return _resampled(images, size, along(0), along(1))


@lowering("ResizeBicubic")
def lower_bicubic(
    operation: tf.Operation, images: tf.Tensor, size: tf.Tensor
) -> tf.Tensor:
    """Use Keys's cubic of four pixels, see resize_bicubic_op.cc."""
    is_half = operation.get_attr("half_pixel_centers")
    a = -0.5 if is_half else -0.75
    step = _step(operation.get_attr("align_corners"))

    def weights(length: tf.Tensor, wanted: tf.Tensor) -> tf.Tensor:
        by = step(length, wanted)
        place = tf.range(wanted) * by
        if is_half:
            place = (tf.range(wanted) + 0.5) * by - 0.5
        first = tf.floor(place)
        # Halves are rounded to even, as by lrintf.
        x = tf.round((place - first) * _TABLE) / _TABLE
        near = [_far(x + 1.0, a), _near(x, a), _near(1.0 - x, a), _far(2.0 - x, a)]
        pixels = tf.range(length)[tf.newaxis]
        total = tf.zeros([])
        for tap, weight in enumerate(near):
            at = first + (tap - 1.0)
            bounded = tf.clip_by_value(at, 0.0, length - 1.0)
            if is_half:
                weight = tf.where(tf.equal(at, bounded), weight, 0.0)
            is_here = tf.equal(bounded[:, tf.newaxis], pixels)
            total += tf.where(is_here, weight[:, tf.newaxis], 0.0)
        return _normalized(total) if is_half else total

    return _resampled(images, size, weights, weights)


@lowering("ResizeArea")
def lower_area(
    operation: tf.Operation, images: tf.Tensor, size: tf.Tensor
) -> tf.Tensor:
    """Average the pixels, and parts of pixels, that fall into each of the answer's."""
    step = _step(operation.get_attr("align_corners"))

    def weights(length: tf.Tensor, wanted: tf.Tensor) -> tf.Tensor:
        by = step(length, wanted)
        start = (tf.range(wanted) * by)[:, tf.newaxis]
        end = ((tf.range(wanted) + 1.0) * by)[:, tf.newaxis]
        pixels = tf.range(length)[tf.newaxis]
        # The last pixel stands for everything beyond it.
        until = tf.where(tf.equal(pixels, length - 1.0), end, pixels + 1.0)
        shared = tf.minimum(tf.maximum(until, pixels), end) - tf.maximum(pixels, start)
        return tf.maximum(shared, 0.0) / by

    return _resampled(images, size, weights, weights)


def _resampled(
    images: tf.Tensor, size: tf.Tensor, vertical: Weights, horizontal: Weights
) -> tf.Tensor:
    """``(N, H, W, C)`` -> float32 ``(N, *size, C)``."""
    images = tf.cast(images, tf.float32)
    batch, height, width, channels = (
        known if known is not None else tf.shape(images)[axis]
        for axis, known in enumerate(images.shape)
    )
    rows, columns = size[0], size[1]
    down = vertical(tf.cast(height, tf.float32), tf.cast(rows, tf.float32))
    right = horizontal(tf.cast(width, tf.float32), tf.cast(columns, tf.float32))
    lines = tf.matmul(down, tf.reshape(images, [batch, height, width * channels]))
    pixels = tf.reshape(lines, [batch * rows, width, channels])
    return tf.reshape(tf.matmul(right, pixels), [batch, rows, columns, channels])


def _normalized(weights: tf.Tensor) -> tf.Tensor:
    total = tf.reduce_sum(weights, axis=1, keepdims=True)
    return tf.where(tf.abs(total) >= _LEAST, weights / total, weights)


def _step(is_aligned: bool) -> Callable[[tf.Tensor, tf.Tensor], tf.Tensor]:
    """The width of the answer's pixels in input pixels, see CalculateResizeScale."""

    def step(length: tf.Tensor, wanted: tf.Tensor) -> tf.Tensor:
        if not is_aligned:
            return length / wanted
        between = (length - 1.0) / tf.maximum(wanted - 1.0, 1.0)
        return tf.where(wanted > 1.0, between, length / wanted)

    return step


def _near(x: tf.Tensor, a: float) -> tf.Tensor:
    return ((a + 2.0) * x - (a + 3.0)) * x * x + 1.0


def _far(x: tf.Tensor, a: float) -> tf.Tensor:
    return ((a * x - 5.0 * a) * x + 8.0 * a) * x - 4.0 * a


def _kernel(name: str) -> tuple[float, Callable[[tf.Tensor], tf.Tensor]]:
    """A kernel's reach, and its weight by distance; see sampling_kernels.h."""
    if name.startswith("lanczos"):
        radius = float(name.removeprefix("lanczos"))

        def lanczos(x: tf.Tensor) -> tf.Tensor:
            away = tf.maximum(x, 1e-3) * math.pi
            wave = radius * tf.sin(away) * tf.sin(away / radius) / (away * away)
            return tf.where(x <= 1e-3, 1.0, wave)

        return radius, lanczos
    if name == "gaussian":
        return 1.5, lambda x: tf.where(x < 1.5, tf.exp(-2.0 * x * x), 0.0)
    if name == "box":
        return 0.5, lambda x: tf.where(tf.equal(x, 0.5), 0.5, 1.0)
    if name == "triangle":
        return 1.0, lambda x: 1.0 - x
    if name == "keyscubic":
        return 2.0, lambda x: tf.where(x < 1.0, _near(x, -0.5), _far(x, -0.5))
    return 2.0, lambda x: tf.where(
        x < 1.0,
        (7.0 / 6.0 * x - 2.0) * x * x + 8.0 / 9.0,
        ((-7.0 / 18.0 * x + 2.0) * x - 10.0 / 3.0) * x + 16.0 / 9.0,
    )
