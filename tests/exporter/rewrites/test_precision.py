import math

import numpy as np
import pytest

from tests.exporter.rewrites.converted import converted

pytestmark = pytest.mark.tensorflow

# float32 has the first and no second.
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
