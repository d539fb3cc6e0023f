"""``Lgamma``, ``Digamma``, ``Igamma`` and ``Igammac``, which ONNX lacks.

The first two use C. Lanczos's sum with g = 7 and nine terms, and Euler's reflection
below a half, as XLA does. The incomplete ones use a series and a continued fraction (W.
Press et al., "Numerical Recipes", 6.2).
"""

from __future__ import annotations

import math

import tensorflow as tf

from exporter.rewrites.registry import lowering

_G = 7.0
_BASE = 0.99999999999980993227684700473478
_TERMS = (
    676.520368121885098567009190444019, -1259.13921672240287047156078755283,
    771.3234287776530788486528258894, -176.61502916214059906584551354,
    12.507343278686904814458936853, -0.13857109526572011689554707,
    9.984369578019570859563e-6, 1.50563273514931155834e-7,
)  # fmt: skip
# So many terms give float32's precision if both arguments are at most some hundreds.
_TURNS = 200


def log_gamma(x: tf.Tensor) -> tf.Tensor:
    """``log |Γ(x)|`` in the shape and dtype of x; infinite at 0, -1, -2, …."""
    is_low = x < 0.5
    z = tf.where(is_low, -x, x - 1)
    total = tf.constant(_BASE, x.dtype)
    for index, term in enumerate(_TERMS):
        total += tf.constant(term, x.dtype) / (z + (index + 1))
    t = z + (_G + 0.5)
    log_t = tf.math.log1p(z / (_G + 0.5)) + math.log(_G + 0.5)
    found = (z + 0.5 - t / log_t) * log_t + 0.5 * math.log(2 * math.pi)
    found += tf.math.log(total)
    # sin repeats with period 1 here, and large numbers would lose its digits.
    share = tf.abs(x) - tf.floor(tf.abs(x))
    share = tf.where(share > 0.5, 1 - share, share)
    reflected = math.log(math.pi) - tf.math.log(tf.sin(math.pi * share)) - found
    infinite = tf.constant(math.inf, x.dtype)
    reflected = tf.where(tf.equal(share, 0), infinite, reflected)
    found = tf.where(is_low, reflected, found)
    return tf.where(tf.math.is_inf(x), infinite, found)


@lowering("Lgamma")
def lower_lgamma(operation: tf.Operation, x: tf.Tensor) -> tf.Tensor:
    """Compute ``log |Γ(x)|`` in float64, for which ONNX Runtime has all kernels."""
    return tf.cast(log_gamma(tf.cast(x, tf.float64)), x.dtype)


@lowering("Digamma")
def lower_digamma(operation: tf.Operation, x: tf.Tensor) -> tf.Tensor:
    """The slope of ``log Γ``; NaN at 0, -1, -2, …."""
    dtype, x = x.dtype, tf.cast(x, tf.float64)
    is_low = x < 0.5
    z = tf.where(is_low, -x, x - 1)
    total, slope = tf.constant(_BASE, x.dtype), tf.constant(0, x.dtype)
    for index, term in enumerate(_TERMS):
        place = z + (index + 1)
        slope -= term / (place * place)
        total += term / place
    t = z + (_G + 0.5)
    found = tf.math.log(t) + slope / total - _G / t
    # cot repeats with period 1 here, and large numbers would lose its digits.
    share = math.pi * (x + tf.abs(tf.floor(x + 0.5)))
    reflected = found - math.pi * tf.cos(share) / tf.sin(share)
    nothing = tf.constant(math.nan, x.dtype)
    is_pole = (x <= 0) & tf.equal(x, tf.floor(x))
    found = tf.where(is_low, tf.where(is_pole, nothing, reflected), found)
    return tf.cast(found, dtype)


@lowering("Igamma", "Igammac")
def lower_incomplete(operation: tf.Operation, a: tf.Tensor, x: tf.Tensor) -> tf.Tensor:
    """The lower part of Γ(a), up to x, or the upper part, as a share of Γ(a)."""
    dtype, a, x = a.dtype, tf.cast(a, tf.float64), tf.cast(x, tf.float64)
    a, x = a + tf.zeros_like(x), x + tf.zeros_like(a)
    is_series = x < a + 1
    # The branch that is not chosen must not give NaN.
    one = tf.ones_like(x)
    lower = _series(tf.where(is_series, a, one), tf.where(is_series, x, one))
    upper = _fraction(tf.where(is_series, one, a), tf.where(is_series, 3 * one, x))
    if operation.type == "Igamma":
        found = tf.where(is_series, lower, 1 - upper)
        ends = tf.zeros_like(x), one
    else:
        found = tf.where(is_series, 1 - lower, upper)
        ends = one, tf.zeros_like(x)
    found = tf.where(
        tf.equal(x, 0), ends[0], tf.where(tf.math.is_inf(x), ends[1], found)
    )
    is_nothing = (a <= 0) | (x < 0)
    return tf.cast(tf.where(is_nothing, tf.constant(math.nan, a.dtype), found), dtype)


def _size(a: tf.Tensor, x: tf.Tensor) -> tf.Tensor:
    """The factor ``x^a e^-x / Γ(a)``."""
    return tf.exp(a * tf.math.log(x) - x - log_gamma(a))


def _series(a: tf.Tensor, x: tf.Tensor) -> tf.Tensor:
    def turn(
        index: tf.Tensor, term: tf.Tensor, total: tf.Tensor
    ) -> tuple[tf.Tensor, ...]:
        term = term * x / (a + tf.cast(index, a.dtype))
        return index + 1, term, total + term

    _, _, total = tf.while_loop(
        lambda index, *_: index <= _TURNS, turn, [tf.constant(1), 1 / a, 1 / a]
    )
    return total * _size(a, x)


def _fraction(a: tf.Tensor, x: tf.Tensor) -> tf.Tensor:
    """The continued fraction, by W. Lentz's method from the front."""
    least = tf.constant(1e-300, a.dtype)
    first = x + 1 - a

    def turn(
        index: tf.Tensor, b: tf.Tensor, c: tf.Tensor, d: tf.Tensor, h: tf.Tensor
    ) -> tuple[tf.Tensor, ...]:
        number = tf.cast(index, a.dtype)
        factor = -number * (number - a)
        b = b + 2
        d = factor * d + b
        d = 1 / tf.where(tf.abs(d) < least, least, d)
        c = b + factor / c
        c = tf.where(tf.abs(c) < least, least, c)
        return index + 1, b, c, d, h * c * d

    *_, found = tf.while_loop(
        lambda index, *_: index <= _TURNS,
        turn,
        [tf.constant(1), first, tf.ones_like(x) / least, 1 / first, 1 / first],
    )
    return found * _size(a, x)
