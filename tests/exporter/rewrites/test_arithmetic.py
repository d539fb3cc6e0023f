"""Expected values come from NumPy and the C library, not from TensorFlow's graph."""

import math

import numpy as np
import pytest

from tests.exporter.rewrites.converted import converted

pytestmark = pytest.mark.tensorflow


def test_what_was_not_chosen_does_not_show(tf):
    """tf2onnx multiplies the other value by 0, and 0 times infinity is NaN."""
    x = np.array([0.0, 2.0, np.inf, np.nan], np.float32)
    (answered,) = converted(lambda x: tf.where(tf.abs(x) < 3, x, 5.0), x)
    np.testing.assert_array_equal(answered, [0, 2, 5, 5])


def test_a_condition_a_row_chooses_rows(tf):
    x = np.array([[1, 2], [3, 4]], np.float32)
    (answered,) = converted(
        lambda x: tf.raw_ops.Select(condition=x[:, 0] > 2, x=x, y=-x), x
    )
    np.testing.assert_array_equal(answered, [[-1, -2], [3, 4]])


def test_whole_quotients_are_floored(tf):
    """Python floors too: -7 // 2 is -4."""
    x, y = np.array([-7, 7, -7, 7, 6]), np.array([2, 2, -2, -2, -3])
    floor, rest = converted(lambda x, y: (x // y, tf.math.floormod(x, y)), x, y)
    assert list(floor) == [a // b for a, b in zip(x.tolist(), y.tolist(), strict=True)]
    assert list(rest) == [a % b for a, b in zip(x.tolist(), y.tolist(), strict=True)]


def test_real_remainders_are_exact(tf):
    x = np.array([-2.0, 2.0, 5.5], np.float32)
    y = np.array([0.1, 0.1, -2.0], np.float32)
    floored, truncated = converted(
        lambda x, y: (tf.math.floormod(x, y), tf.truncatemod(x, y)), x, y
    )
    np.testing.assert_array_equal(floored, np.mod(x, y))
    np.testing.assert_array_equal(truncated, np.fmod(x, y))


def test_a_zero_has_a_side(tf):
    y = np.array([0.0, -0.0, 0.0, -0.0, 1.0, -1.0], np.float32)
    x = np.array([-1.0, -1.0, 1.0, 1.0, 0.0, -0.0], np.float32)
    (answered,) = converted(tf.atan2, y, x)
    expected = [math.atan2(*both) for both in zip(y.tolist(), x.tolist(), strict=True)]
    np.testing.assert_allclose(answered, expected, rtol=1e-6)
    np.testing.assert_array_equal(np.signbit(answered), np.signbit(expected))


@pytest.mark.parametrize("name", ["log1p", "expm1"])
def test_small_numbers_are_kept(tf, name):
    x = np.array([1e-8, -1e-8, 1e-4, 0.0, 0.5, -0.5, 3.0], np.float32)
    (answered,) = converted(getattr(tf.math, name), x)
    np.testing.assert_allclose(answered, getattr(np, name)(x), rtol=2e-6)


def test_the_ends_of_a_logarithm(tf):
    (answered,) = converted(tf.math.log1p, np.array([-1.0, np.inf], np.float32))
    np.testing.assert_array_equal(answered, [-np.inf, np.inf])


def test_products_of_prefixes(tf):
    x = np.array([[2, 3, 4, 5, 6]] * 2, np.int32)
    all_of, before, after = converted(
        lambda x: (
            tf.math.cumprod(x, axis=1),
            tf.math.cumprod(x, axis=1, exclusive=True),
            tf.math.cumprod(x, axis=1, reverse=True),
        ),
        x,
    )
    np.testing.assert_array_equal(all_of, np.cumprod(x, axis=1))
    np.testing.assert_array_equal(before[0], [1, 2, 6, 24, 120])
    np.testing.assert_array_equal(after[0], [720, 360, 120, 30, 6])


def test_products_of_a_free_axis(tf):
    x = np.full(11, 2.0, np.float32)
    (answered,) = converted(lambda x: tf.math.cumprod(x, axis=0), x)
    np.testing.assert_array_equal(answered, np.cumprod(x))


def test_products_of_vectors(tf):
    a, b = np.array([[1.0, 2, 3]]), np.array([[4.0, 5, 6]])
    (answered,) = converted(tf.linalg.cross, a, b)
    np.testing.assert_array_equal(answered, np.cross(a, b))


def test_special_functions(tf):
    """NumPy has I0; the other values come from the standard tables."""
    x = np.array([0.0, 0.5, -3.0, 12.0], np.float32)
    i0, inverse, i1 = converted(
        lambda x: (
            tf.math.bessel_i0(x),
            tf.math.erfinv(tf.tanh(x) * 0.9),
            tf.math.bessel_i1(x),
        ),
        x,
    )
    np.testing.assert_allclose(i0, np.i0(x), rtol=1e-5)
    back = [math.erf(y) for y in inverse.tolist()]
    np.testing.assert_allclose(back, np.tanh(x) * 0.9, rtol=1e-5, atol=1e-7)
    np.testing.assert_allclose(i1[:2], [0.0, 0.2578943], rtol=1e-5)


def test_erf_has_an_inverse_up_to_its_ends(tf):
    (answered,) = converted(tf.math.erfinv, np.array([-1.0, 1.0], np.float32))
    np.testing.assert_array_equal(answered, [-np.inf, np.inf])
