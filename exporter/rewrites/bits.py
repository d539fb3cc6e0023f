"""``Bitcast`` and rewrites of bits: ONNX has no operator that reads bits.

The bits of a real number are computed. Dividing by powers of two, which is exact, gives
its exponent, and the rest is its mantissa. All NaN count as one.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import tensorflow as tf

from exporter.rewrites.registry import lowering


@dataclass(frozen=True)
class _Layout:
    """The layout of a real number's bits: a sign, an exponent, ``mantissa`` bits."""

    width: int
    mantissa: int
    bias: int

    @property
    def infinite(self) -> int:
        """The bits of infinity."""
        return ((1 << (self.width - 1 - self.mantissa)) - 1) << self.mantissa


_LAYOUTS = {
    tf.float32: _Layout(32, 23, 127),
    tf.float16: _Layout(16, 10, 15),
    tf.bfloat16: _Layout(16, 7, 127),
}


@lowering("Bitcast")
def lower_bitcast(operation: tf.Operation, x: tf.Tensor) -> tf.Tensor | None:
    """The same bits as another dtype, with one axis more or less if widths differ."""
    dtype = operation.get_attr("type")
    if tf.float64 in (x.dtype, dtype) or tf.string in (x.dtype, dtype):
        return None
    old, new = 8 * x.dtype.size, 8 * dtype.size
    bits = _read(x)
    if new < old:
        parts = [_cut(bits, i * new, new) for i in range(old // new)]
        bits = tf.stack(parts, axis=-1)
    elif new > old:
        parts = tf.unstack(bits, new // old, axis=-1)
        bits = tf.add_n([part * (1 << (i * old)) for i, part in enumerate(parts)])
    return _write(bits, dtype)


def _cut(bits: tf.Tensor, start: int, width: int) -> tf.Tensor:
    """The ``width`` bits from ``start`` on; floored, which suits negative numbers."""
    return tf.math.floormod(tf.math.floordiv(bits, 1 << start), 1 << width)


def _read(x: tf.Tensor) -> tf.Tensor:
    """The bits as an int64 that is not negative, unless the input is an int64."""
    if x.dtype not in _LAYOUTS:
        bits = tf.cast(x, tf.int64)
        if x.dtype.size == 8 or x.dtype.is_unsigned:
            return bits
        return tf.math.floormod(bits, 1 << (8 * x.dtype.size))
    layout = _LAYOUTS[x.dtype]
    wide = tf.cast(x, tf.float64)
    one = tf.constant(1, tf.float64)
    is_negative = tf.logical_or(wide < 0, one / wide < 0)
    # In units of the least number above 0, every number but 0 is 1 or more.
    least = 1 - layout.bias - layout.mantissa
    size = tf.abs(wide) * 2.0**-least
    is_finite = tf.math.is_finite(size)
    rest = tf.where(is_finite, size, one)
    exponent = tf.zeros_like(rest, tf.int64)
    for power in (256, 128, 64, 32, 16, 8, 4, 2, 1):
        is_more = rest >= 2.0**power
        rest = tf.where(is_more, rest * 2.0**-power, rest)
        exponent += tf.cast(is_more, tf.int64) * power
    # A number of at most so many bits has no exponent; its bits are the number itself.
    raised = exponent - layout.mantissa + 1
    mantissa = tf.cast((rest - one) * 2.0**layout.mantissa, tf.int64)
    usual = raised * (1 << layout.mantissa) + mantissa
    bits = tf.where(
        raised > 0, usual, tf.cast(tf.where(is_finite, size, one), tf.int64)
    )
    infinite = tf.constant(layout.infinite, tf.int64)
    bits = tf.where(tf.math.is_inf(wide), infinite, bits)
    quiet = infinite + (1 << (layout.mantissa - 1))
    bits = tf.where(tf.math.is_nan(wide), quiet, bits)
    return bits + tf.cast(is_negative, tf.int64) * (1 << (layout.width - 1))


def _write(bits: tf.Tensor, dtype: tf.DType) -> tf.Tensor:
    """The numbers of ``dtype`` that have these bits."""
    if dtype not in _LAYOUTS:
        if dtype.size < 8 and not dtype.is_unsigned:
            top = 1 << (8 * dtype.size - 1)
            bits = tf.where(bits >= top, bits - 2 * top, bits)
        return tf.cast(bits, dtype)
    layout = _LAYOUTS[dtype]
    mantissa = _cut(bits, 0, layout.mantissa)
    exponent = _cut(bits, layout.mantissa, layout.width - 1 - layout.mantissa)
    is_usual = tf.cast(exponent > 0, tf.int64)
    last = layout.infinite >> layout.mantissa
    # These are the powers for all exponents; the entry for infinity is replaced below.
    powers = 2.0 ** (
        np.maximum(np.arange(last + 1), 1).astype(np.float64)
        - layout.bias
        - layout.mantissa
    )
    size = tf.cast(mantissa + is_usual * (1 << layout.mantissa), tf.float64)
    value = size * tf.gather(tf.constant(powers), exponent)
    inf = tf.constant(np.inf, tf.float64)
    special = tf.where(mantissa > 0, tf.constant(np.nan, tf.float64), inf)
    value = tf.where(tf.equal(exponent, last), special, value)
    one = tf.constant(1, tf.float64)
    # A product gives -0.0; ONNX Runtime's Neg of 0 answers 0.
    value = value * tf.where(bits >= (1 << (layout.width - 1)), -one, one)
    return tf.cast(value, dtype)
