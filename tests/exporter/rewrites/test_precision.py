import math

import numpy as np
import pytest

from tests.exporter.rewrites.converted import converted

pytestmark = pytest.mark.tensorflow

# float32 holds the first number, and does not hold the second.
EVEN, ODD = 2**24, 2**24 + 1


@pytest.mark.parametrize("dtype", [np.int32, np.int64])
def test_large_whole_numbers_are_told_apart(tf, dtype):
    x = np.array([EVEN, ODD, -ODD], dtype)
    y = np.array([ODD, EVEN, -EVEN], dtype)
    less, greater, values, places, ordered = converted(
        lambda x, y: (x < y, x > y, *tf.math.top_k(x, 2), tf.sort(x)), x, y
    )
    assert less.tolist() == [True, False, True]
    assert greater.tolist() == [False, True, False]
    assert values.tolist() == [ODD, EVEN]
    assert places.tolist() == [1, 0]
    assert ordered.tolist() == [-ODD, EVEN, ODD]
    assert values.dtype == dtype
    assert places.dtype == np.int32


def test_a_loop_that_counts_as_far_as_its_limit(tf):
    """tf2onnx counts turns in int64, and compared them with a limit in int32."""
    x = np.array([[1.0, 2]], np.float32)

    def until(x):
        turns, last = tf.constant(0), tf.cast(tf.shape(x)[1], tf.int32)
        return tf.while_loop(
            lambda turn, x: turn <= last, lambda turn, x: (turn + 1, 2 * x), (turns, x)
        )

    turns, answered = converted(until, x, free=(0, 1))
    assert turns == 3
    assert answered.tolist() == [[8, 16]]


@pytest.mark.parametrize("dtype", [np.int32, np.int64, np.float32])
def test_equals_are_told_from_others(tf, dtype):
    x, y = np.array([1, 2, 3], dtype), np.array([2, 2, 2], dtype)
    less, greater = converted(lambda x, y: (x <= y, x >= y), x, y)
    assert less.tolist() == [True, True, False]
    assert greater.tolist() == [False, True, True]


def test_as_many_as_the_data_says(tf):
    x = np.array([[3.0, 1, 2]], np.float32)
    count = np.array([2], np.int32)
    values, places = converted(lambda x, k: tf.math.top_k(x, k[0]), x, count)
    assert values.tolist() == [[3, 2]]
    assert places.tolist() == [[0, 2]]


def test_logarithms_of_float64(tf):
    x = np.array([1 + 1e-10, math.e, 7.123456789012])
    (answered,) = converted(tf.math.log, x)
    np.testing.assert_allclose(answered, np.log(x), rtol=1e-12)
