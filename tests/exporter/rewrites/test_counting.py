"""Expected values come from NumPy."""

import numpy as np
import pytest

from tests.exporter.rewrites.converted import converted

pytestmark = pytest.mark.tensorflow

NUMBERS = np.array([[0, 3, 3, 1], [5, 5, 5, 2]], np.int32)
WEIGHTS = np.array([[0.5, 1.0, 2.0, 4.0], [1.0, 2.0, 3.0, 4.0]], np.float32)


def test_numbers_are_counted_together(tf):
    (counts,) = converted(lambda x: tf.math.bincount(x, minlength=7), NUMBERS)
    np.testing.assert_array_equal(counts, np.bincount(NUMBERS.ravel(), minlength=7))


def test_numbers_are_counted_row_by_row(tf):
    (counts,) = converted(
        lambda x: tf.math.bincount(x, minlength=6, maxlength=6, axis=-1), NUMBERS
    )
    rows = [np.bincount(row, minlength=6) for row in NUMBERS]
    np.testing.assert_array_equal(counts, rows)


def test_weights_are_added_up(tf):
    (sums,) = converted(
        lambda x, w: tf.math.bincount(x, w, minlength=6, maxlength=6, axis=-1),
        NUMBERS,
        WEIGHTS,
    )
    rows = [
        np.bincount(row, w, minlength=6)
        for row, w in zip(NUMBERS, WEIGHTS, strict=True)
    ]
    np.testing.assert_allclose(sums, rows, rtol=1e-6)


def test_numbers_beyond_the_last_bin_are_left_out(tf):
    (counts,) = converted(
        lambda x: tf.math.bincount(x, minlength=3, maxlength=3, axis=-1), NUMBERS
    )
    np.testing.assert_array_equal(counts, [[1, 1, 0], [0, 0, 1]])


def test_flags_tell_which_numbers_occur(tf):
    (flags,) = converted(
        lambda x: tf.math.bincount(
            x, minlength=6, maxlength=6, axis=-1, binary_output=True
        ),
        NUMBERS,
    )
    np.testing.assert_array_equal(flags, [[1, 1, 0, 1, 0, 0], [0, 0, 1, 0, 0, 1]])


@pytest.mark.parametrize("dtype", [np.float32, np.int32])
def test_buckets_begin_at_their_boundaries(tf, dtype):
    x = np.array([[-3, -1, 0], [1, 2, 9]], dtype)
    (buckets,) = converted(
        lambda x: tf.raw_ops.Bucketize(input=x, boundaries=[-1.0, 1.0, 2.0]), x
    )
    np.testing.assert_array_equal(buckets, np.digitize(x, [-1.0, 1.0, 2.0]))
