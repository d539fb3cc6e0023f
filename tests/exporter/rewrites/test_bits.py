"""Expected values come from NumPy's views and its nextafter."""

import numpy as np
import pytest

from tests.exporter.rewrites.converted import converted

pytestmark = pytest.mark.tensorflow

NUMBERS = np.array(
    [0.0, -0.0, 1.0, -1.5, 3e38, 1e-38, 1e-45, -2e-42, np.inf, -np.inf], np.float32
)


def test_the_bits_of_real_numbers(tf):
    (bits,) = converted(lambda x: tf.bitcast(x, tf.int32), NUMBERS)
    np.testing.assert_array_equal(bits, NUMBERS.view(np.int32))


def test_real_numbers_of_bits(tf):
    (numbers,) = converted(lambda x: tf.bitcast(x, tf.float32), NUMBERS.view(np.int32))
    np.testing.assert_array_equal(numbers.view(np.int32), NUMBERS.view(np.int32))


def test_bytes_of_numbers_and_back(tf):
    given = np.array([[1, -2, 2**31 - 1], [-(2**31), 0, 77]], np.int32)
    parts, whole = converted(
        lambda x: (
            tf.bitcast(x, tf.uint8),
            tf.bitcast(tf.bitcast(x, tf.uint8), tf.int32),
        ),
        given,
    )
    np.testing.assert_array_equal(parts, given.view(np.uint8).reshape(2, 3, 4))
    np.testing.assert_array_equal(whole, given)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_the_next_number(tf, dtype):
    x = np.array([0.0, 1.0, 1.0, -2.0, 3e-20, 5.0], dtype)
    to = np.array([1.0, 2.0, 0.0, 0.0, 1.0, 5.0], dtype)
    (answered,) = converted(tf.math.nextafter, x, to)
    np.testing.assert_array_equal(answered, np.nextafter(x, to))
