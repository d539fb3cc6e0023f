"""Expected values come from NumPy, or from TensorFlow's own kernel."""

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


def test_the_older_operator_takes_rows_as_one_list(tf):
    (counts,) = converted(
        lambda x: tf.raw_ops.Bincount(arr=x, size=7, weights=tf.zeros([0], tf.int32)),
        NUMBERS,
    )
    np.testing.assert_array_equal(counts, np.bincount(NUMBERS.ravel(), minlength=7))


def test_the_older_operator_adds_up_weights(tf):
    (sums,) = converted(
        lambda x, w: tf.raw_ops.Bincount(arr=x, size=7, weights=w), NUMBERS, WEIGHTS
    )
    expected = np.bincount(NUMBERS.ravel(), WEIGHTS.ravel(), minlength=7)
    np.testing.assert_allclose(sums, expected, rtol=1e-6)


def test_flags_do_not_weigh(tf):
    def flagged(x, w):
        return tf.raw_ops.DenseBincount(input=x, size=6, weights=w, binary_output=True)

    (flags,) = converted(flagged, NUMBERS, WEIGHTS)
    expected = flagged(tf.constant(NUMBERS), tf.constant(WEIGHTS))
    np.testing.assert_array_equal(flags, expected)


def test_one_list_of_long_numbers_and_weights(tf):
    (sums,) = converted(
        lambda x, w: tf.raw_ops.DenseBincount(input=x, size=4, weights=w),
        np.array([3, 0, 3], np.int64),
        np.array([0.25, 1.0, 0.5]),
    )
    assert sums.dtype == np.float64
    assert sums.tolist() == [1.0, 0.0, 0.0, 0.75]


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.int32, np.int64])
def test_buckets_begin_at_their_boundaries(tf, dtype):
    x = np.array([[-3, -1, 0], [1, 2, 9]], dtype)
    (buckets,) = converted(
        lambda x: tf.raw_ops.Bucketize(input=x, boundaries=[-1.0, 1.0, 2.0]), x
    )
    np.testing.assert_array_equal(buckets, np.digitize(x, [-1.0, 1.0, 2.0]))


def test_a_boundary_is_the_float32_that_it_is_given_as(tf):
    """0.1 is less than float32's 0.1, but a float32 input cannot tell them apart."""
    x = np.array([0.1, np.float32(0.1), 1.0 - 1e-12, 1.0])

    def placed(x):
        return tf.raw_ops.Bucketize(input=x, boundaries=[0.1, 1.0])

    (fine,) = converted(placed, x)
    (coarse,) = converted(placed, x.astype(np.float32))
    assert fine.tolist() == [0, 1, 1, 2]
    assert coarse.tolist() == [1, 1, 2, 2]


def test_long_whole_numbers_are_compared_as_float32(tf):
    x = np.arange(2**24 - 1, 2**24 + 3)

    def placed(x):
        return tf.raw_ops.Bucketize(input=x, boundaries=[2.0**24, 2.0**24 + 2])

    (found,) = converted(placed, x)
    np.testing.assert_array_equal(found, placed(tf.constant(x)))


def test_what_is_no_number_is_in_the_last_bucket(tf):
    x = np.array([np.nan, np.inf, -np.inf], np.float32)

    def placed(x):
        return tf.raw_ops.Bucketize(input=x, boundaries=[-1.0, 1.0])

    (found,) = converted(placed, x)
    np.testing.assert_array_equal(found, placed(tf.constant(x)))


def test_without_boundaries_there_is_one_bucket(tf):
    x = np.array([[1, 2], [3, 4]], np.float32)
    (found,) = converted(lambda x: tf.raw_ops.Bucketize(input=x, boundaries=[]), x)
    assert found.tolist() == [[0, 0], [0, 0]]
