"""Fourier transforms as products with matrices of cosines and sines.

ONNX Runtime's DFT takes one axis, float32 and no complex dtype, and tf2onnx 1.17 fails
if a length is not known. A product is exact to float32, equally fast up to some
thousand numbers (the matrix for a free length is made at run time), and the same on
every device.
"""

from __future__ import annotations

import math

import numpy as np
import tensorflow as tf

from exporter.rewrites.pair import Pair, product
from exporter.rewrites.registry import complex_lowering


@complex_lowering("FFT", "FFT2D", "FFT3D", "IFFT", "IFFT2D", "IFFT3D")
def lower_complex_transform(operation: tf.Operation, x: Pair) -> Pair:
    """Transform one, two or three last axes; the inverse divides by the lengths."""
    is_inverse = operation.type.startswith("I")
    for axis in range(-_axes_of(operation), 0):
        x = _transformed(x, axis, is_inverse)
    return x


@complex_lowering("RFFT", "RFFT2D", "RFFT3D")
def lower_real_transform(
    operation: tf.Operation, x: tf.Tensor, lengths: tf.Tensor
) -> Pair:
    """Transform real numbers, cut or zero-filled to ``lengths``; answer one half."""
    count = _axes_of(operation)
    x = _fitted(x, lengths, count)
    waves = _waves(_side(x, -1), _halved(_side(x, -1)), x.dtype)
    found = Pair(_through(x, waves.real), _through(x, waves.imag))
    for axis in range(-count, -1):
        found = _transformed(found, axis, is_inverse=False)
    return found


@complex_lowering("IRFFT", "IRFFT2D", "IRFFT3D")
def lower_real_inverse(
    operation: tf.Operation, x: Pair, lengths: tf.Tensor
) -> tf.Tensor:
    """Transform one half back to ``lengths`` real numbers; the other mirrors it."""
    count = _axes_of(operation)
    static = tf.get_static_value(lengths)
    length = int(static[-1]) if static is not None else lengths[-1]
    half = tf.concat([lengths[:-1], [_halved(length)]], 0)
    x = Pair(_fitted(x.real, half, count), _fitted(x.imag, half, count))
    for axis in range(-count, -1):
        x = _transformed(x, axis, is_inverse=True)
    waves = _waves(_halved(length), length, x.real.dtype)
    # The number at 0, and at the middle of an even length, counts once; the others
    # count twice.
    place = tf.range(_halved(length))
    is_single = tf.logical_or(tf.equal(place, 0), tf.equal(2 * place, length))
    size = tf.cast(tf.where(is_single, 1, 2), x.real.dtype) / tf.cast(
        length, x.real.dtype
    )
    weighted = x.scaled(size)
    # The inverse waves turn the other way, so the imaginary part has the opposite sign.
    return _through(weighted.real, waves.real) + _through(weighted.imag, waves.imag)


def _through(rows: tf.Tensor, matrix: tf.Tensor) -> tf.Tensor:
    """Multiply rows by a matrix; a single row is no matrix for MatMul."""
    if rows.shape.rank == 1:
        return tf.matmul(rows[tf.newaxis], matrix)[0]
    return tf.matmul(rows, matrix)


def _axes_of(operation: tf.Operation) -> int:
    name = operation.type
    return int(name[-2]) if name.endswith("D") else 1


def _halved(length: int | tf.Tensor) -> int | tf.Tensor:
    return length // 2 + 1


def _side(x: tf.Tensor, axis: int) -> int | tf.Tensor:
    """The length of an axis; a Python number if it is known."""
    static = x.shape[axis]
    return static if static is not None else tf.shape(x)[axis]


def _transformed(x: Pair, axis: int, is_inverse: bool) -> Pair:
    length = _side(x.real, axis)
    waves = _waves(length, length, x.real.dtype)
    if is_inverse:
        size = tf.constant(1, x.real.dtype) / tf.cast(length, x.real.dtype)
        waves = Pair(waves.real, -waves.imag).scaled(size)
    if axis == -1:
        return product(x, waves, _through)
    rank = x.real.shape.rank
    order = list(range(rank))
    order[axis], order[-1] = order[-1], order[axis]
    turned = Pair(tf.transpose(x.real, order), tf.transpose(x.imag, order))
    turned = product(turned, waves, _through)
    return Pair(tf.transpose(turned.real, order), tf.transpose(turned.imag, order))


def _waves(rows: int | tf.Tensor, columns: int | tf.Tensor, dtype: tf.DType) -> Pair:
    """The matrix ``exp(-2 pi i r c / N)``, where N is the longer side.

    The product of r and c is taken modulo N as a whole number, because float32 has no
    exact cosine of a large number.
    """
    if isinstance(rows, int) and isinstance(columns, int):
        length = max(rows, columns)
        steps = np.outer(np.arange(rows), np.arange(columns)) % length
        angles = steps * (2 * math.pi / length)
        return Pair(
            tf.constant(np.cos(angles), dtype), tf.constant(-np.sin(angles), dtype)
        )
    length = tf.cast(tf.maximum(rows, columns), tf.int64)
    row = tf.range(tf.cast(rows, tf.int64))[:, tf.newaxis]
    column = tf.range(tf.cast(columns, tf.int64))
    steps = tf.math.floormod(row * column, length)
    angles = tf.cast(steps, dtype) * (2 * math.pi / tf.cast(length, dtype))
    return Pair(tf.cos(angles), -tf.sin(angles))


def _fitted(x: tf.Tensor, lengths: tf.Tensor, count: int) -> tf.Tensor:
    """The last ``count`` axes, cut or zero-filled to ``lengths``."""
    static = tf.get_static_value(lengths)
    rank = x.shape.rank
    if static is not None and list(static) == list(x.shape[rank - count :]):
        return x
    sides = tf.shape(x)[rank - count :]
    missing = tf.maximum(lengths - sides, 0)
    around = tf.pad(
        tf.stack([tf.zeros_like(missing), missing], 1), [[rank - count, 0], [0, 0]]
    )
    size = tf.concat([tf.shape(x)[: rank - count], lengths], 0)
    fitted = tf.slice(tf.pad(x, around), [0] * rank, size)
    if static is not None:
        fitted.set_shape([*x.shape[: rank - count], *static])
    return fitted
