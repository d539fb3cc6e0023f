"""Special functions that ONNX lacks: the inverse of erf, and Bessel functions.

They are sums of Chebyshev polynomials, and polynomials, in float32's precision: M.
Giles, "Approximating the erfinv function" (2010), and i0e and i1e of the Cephes
library. TensorFlow's own kernels use the same ones.
"""

from __future__ import annotations

from collections.abc import Sequence

import tensorflow as tf

from exporter.rewrites.registry import lowering

_CENTRE = (
    2.81022636e-08, 3.43273939e-07, -3.5233877e-06, -4.39150654e-06, 0.00021858087,
    -0.00125372503, -0.00417768164, 0.246640727, 1.50140941,
)  # fmt: skip
_TAIL = (
    -0.000200214257, 0.000100950558, 0.00134934322, -0.00367342844, 0.00573950773,
    -0.0076224613, 0.00943887047, 1.00167406, 2.83297682,
)  # fmt: skip
_I0_NEAR = (
    -1.30002500998624804212e-8, 6.04699502254191894932e-8,
    -2.67079385394061173391e-7, 1.11738753912010371815e-6,
    -4.41673835845875056359e-6, 1.64484480707288970893e-5,
    -5.75419501008210370398e-5, 1.88502885095841655729e-4,
    -5.76375574538582365885e-4, 1.63947561694133579842e-3,
    -4.32430999505057594430e-3, 1.05464603945949983183e-2,
    -2.37374148058994688156e-2, 4.93052842396707084878e-2,
    -9.49010970480476444210e-2, 1.71620901522208775349e-1,
    -3.04682672343198398683e-1, 6.76795274409476084995e-1,
)  # fmt: skip
_I0_FAR = (
    3.39623202570838634515e-9, 2.26666899049817806459e-8,
    2.04891858946906374183e-7, 2.89137052083475648297e-6,
    6.88975834691682398426e-5, 3.36911647825569408990e-3,
    8.04490411014108831608e-1,
)  # fmt: skip
_I1_NEAR = (
    9.38153738649577178388e-9, -4.44505912879632808065e-8,
    2.00329475355213526229e-7, -8.56872026469545474066e-7,
    3.47025130813767847674e-6, -1.32731636560394358279e-5,
    4.78156510755005422638e-5, -1.61760815825896745588e-4,
    5.12285956168575772895e-4, -1.51357245063125314899e-3,
    4.15642294431288815669e-3, -1.05640848946261981558e-2,
    2.47264490306265168283e-2, -5.29459812080949914269e-2,
    1.02643658689847095384e-1, -1.76416518357834055153e-1,
    2.52587186443633654823e-1,
)  # fmt: skip
_I1_FAR = (
    -3.83538038596423702205e-9, -2.63146884688951950684e-8,
    -2.51223623787020892529e-7, -3.88256480887769039346e-6,
    -1.10588938762623716291e-4, -9.76109749136146840777e-3,
    7.78576235018280120474e-1,
)  # fmt: skip


def _polynomial(x: tf.Tensor, factors: Sequence[float]) -> tf.Tensor:
    total = tf.constant(factors[0], x.dtype)
    for factor in factors[1:]:
        total = total * x + tf.constant(factor, x.dtype)
    return total


def _chebyshev(x: tf.Tensor, factors: Sequence[float]) -> tf.Tensor:
    """C. W. Clenshaw's sum; the last factor counts half."""
    before, last, this = (tf.zeros_like(x) for _ in range(3))
    for factor in factors:
        before, last = last, this
        this = x * last - before + tf.constant(factor, x.dtype)
    return tf.constant(0.5, x.dtype) * (this - before)


@lowering("Erfinv")
def lower_erfinv(operation: tf.Operation, x: tf.Tensor) -> tf.Tensor:
    """The y with erf(y) = x; infinite at -1 and 1."""
    one = tf.constant(1, x.dtype)
    w = -tf.math.log((one - x) * (one + x))
    near = _polynomial(w - tf.constant(2.5, x.dtype), _CENTRE)
    far = _polynomial(tf.sqrt(w) - tf.constant(3, x.dtype), _TAIL)
    found = tf.where(w < tf.constant(5, x.dtype), near, far) * x
    end = x * tf.constant(float("inf"), x.dtype)
    return tf.where(tf.equal(tf.abs(x), one), end, found)


def _scaled(x: tf.Tensor, order: int) -> tf.Tensor:
    """The number ``exp(-|x|) I(x)`` of order 0 or 1."""
    wide = tf.abs(x)
    eight, two = tf.constant(8, x.dtype), tf.constant(2, x.dtype)
    near = _chebyshev(wide / two - two, _I1_NEAR if order else _I0_NEAR)
    # Below 8 the quotient is not used, but it must not divide by 0.
    safe = tf.maximum(wide, eight)
    far = _chebyshev(
        tf.constant(32, x.dtype) / safe - two, _I1_FAR if order else _I0_FAR
    )
    value = tf.where(wide <= eight, near * wide if order else near, far / tf.sqrt(safe))
    return tf.where(x < 0, -value, value) if order else value


@lowering("BesselI0e", "BesselI0")
def lower_i0(operation: tf.Operation, x: tf.Tensor) -> tf.Tensor:
    """The Bessel function I of order 0; the ``e`` form is scaled by ``exp(-|x|)``."""
    scaled = _scaled(x, 0)
    return scaled if operation.type.endswith("e") else scaled * tf.exp(tf.abs(x))


@lowering("BesselI1e", "BesselI1")
def lower_i1(operation: tf.Operation, x: tf.Tensor) -> tf.Tensor:
    """The Bessel function I of order 1."""
    scaled = _scaled(x, 1)
    return scaled if operation.type.endswith("e") else scaled * tf.exp(tf.abs(x))
