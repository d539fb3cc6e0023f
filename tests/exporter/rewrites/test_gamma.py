"""Expected values come from Python's math, and sums and products done by hand."""

import math

import numpy as np
import pytest

from tests.exporter.rewrites.converted import converted

pytestmark = pytest.mark.tensorflow

# This is minus Euler's constant.
DIGAMMA_1 = -0.5772156649015329


def test_the_logarithm_of_gamma(tf):
    x = np.array([0.1, 0.5, 1, 2, 3.3, 50, 300, -0.5, -1.7, -10.3, 1e-4], np.float64)
    (answered,) = converted(tf.math.lgamma, x)
    expected = [math.lgamma(value) for value in x]
    np.testing.assert_allclose(answered, expected, rtol=1e-10, atol=1e-12)


def test_gamma_is_infinite_where_it_has_poles(tf):
    x = np.array([0, -1, -7, np.inf], np.float32)
    logarithms, slopes = converted(lambda x: (tf.math.lgamma(x), tf.math.digamma(x)), x)
    assert np.isposinf(logarithms).all()
    assert np.isnan(slopes[:3]).all()


def test_the_slope_of_the_logarithm(tf):
    """Harmonic sums give it for whole numbers, and reflection for 0.5 and -0.5."""
    x = np.array([1, 2, 5, 0.5, -0.5], np.float64)
    half = DIGAMMA_1 - 2 * math.log(2)
    fifth = DIGAMMA_1 + 1 + 1 / 2 + 1 / 3 + 1 / 4
    (answered,) = converted(tf.math.digamma, x)
    expected = [DIGAMMA_1, DIGAMMA_1 + 1, fifth, half, half + 2]
    np.testing.assert_allclose(answered, expected, rtol=1e-10)


def test_the_incomplete_gamma_function(tf):
    """It is an exponential for 1, a Poisson sum for 3, the error function for 0.5."""
    x = np.array([0.1, 1, 3, 30], np.float32)
    a = np.stack([np.full(4, 1), np.full(4, 3), np.full(4, 0.5), x]).astype(np.float32)
    ends = np.stack([x, x, x, 0 * x])
    lower, upper = converted(
        lambda a, x: (tf.math.igamma(a, x), tf.math.igammac(a, x)), a, ends
    )
    exponential = np.exp(-x)
    poisson = exponential * (1 + x + x * x / 2)
    roots = [math.erf(math.sqrt(value)) for value in x]
    rest = [math.erfc(math.sqrt(value)) for value in x]
    np.testing.assert_allclose(lower[0], 1 - exponential, rtol=1e-5)
    np.testing.assert_allclose(upper[0], exponential, rtol=1e-5)
    np.testing.assert_allclose(upper[1], poisson, rtol=1e-5)
    np.testing.assert_allclose(lower[2], roots, rtol=1e-5)
    np.testing.assert_allclose(upper[2], rest, rtol=1e-5)
    assert not lower[3].any()
    assert (upper[3] == 1).all()
