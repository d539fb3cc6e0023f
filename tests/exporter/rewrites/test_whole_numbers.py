"""Whole numbers are exact over all of their range: NumPy wraps as TensorFlow does."""

import numpy as np
import pytest

from tests.exporter.rewrites.converted import converted

pytestmark = pytest.mark.tensorflow

NARROW, WIDE = np.int32, np.int64


def anywhere(dtype, *shape, seed=0):
    """Return numbers of both signs up to the dtype's ends, some of them small."""
    ends = np.iinfo(dtype)
    generator = np.random.default_rng(seed)
    found = generator.integers(ends.min, ends.max, shape, dtype, endpoint=True)
    small = generator.integers(0, 9, shape).astype(dtype)
    return np.where(generator.random(shape) < 0.2, small, found)


def same(answers, expected):
    for answer, value in zip(answers, expected, strict=True):
        np.testing.assert_array_equal(answer, value)
        assert answer.dtype == value.dtype


@pytest.mark.parametrize("dtype", [NARROW, WIDE, np.int8, np.uint64])
def test_sums_and_products_are_exact_and_wrap(tf, dtype):
    x = anywhere(dtype, 4, 3, 5)
    answers = converted(
        lambda x: (
            tf.reduce_sum(x, 2),
            tf.reduce_sum(x, [0, 2], keepdims=True),
            tf.reduce_sum(x),
            tf.reduce_prod(x, 1),
            tf.reduce_prod(x, [-1, 0]),
            tf.cumsum(x, 1),
            tf.reduce_max(x, 1),
            tf.reduce_min(x, 1),
        ),
        x,
        free=(0, 1),
    )
    same(
        answers,
        (
            x.sum(2, dtype=dtype),
            x.sum((0, 2), dtype=dtype, keepdims=True),
            x.sum(dtype=dtype),
            x.prod(1, dtype=dtype),
            x.prod((0, 2), dtype=dtype),
            x.cumsum(1, dtype=dtype),
            x.max(1),
            x.min(1),
        ),
    )


def test_the_sum_that_a_double_does_not_hold(tf):
    """Stamps in nanoseconds are such numbers, as 1,700,000,000,123,456,789 is."""
    x = np.array([[1700000000123456789, -1700000000123456700, 5]])
    (answer,) = converted(lambda x: tf.reduce_sum(x, 1), x)
    assert answer.tolist() == [94]


def test_sums_of_nothing(tf):
    x = np.zeros((2, 0), WIDE)
    answers = converted(
        lambda x: (tf.reduce_sum(x, 1), tf.reduce_prod(x, 1)), x, free=(0, 1)
    )
    assert [a.tolist() for a in answers] == [[0, 0], [1, 1]]


def test_means_are_of_a_sum_in_64_bits(tf):
    """TensorFlow means so too: 2^30 four times is 2^32, which int32 does not hold."""
    x = np.array([[2**30] * 4, [-3, -4, 0, 0], [7, 0, 0, 0]], NARROW)
    assert converted(lambda x: tf.reduce_mean(x, 1), x)[0].tolist() == [2**30, -1, 1]
    x = np.array([[2**60 + 3, 2**60 + 5]], WIDE)
    assert converted(lambda x: tf.reduce_mean(x, 1), x)[0].tolist() == [2**60 + 4]


@pytest.mark.parametrize("dtype", [WIDE])
def test_products_of_matrices_and_sums_of_products(tf, dtype):
    x, y = anywhere(dtype, 4, 5), anywhere(dtype, 4, 5, seed=1)
    answers = converted(
        lambda x, y: (
            tf.matmul(x, y, transpose_b=True),
            tf.einsum("ij,kj->ik", x, y),
            tf.einsum("ij,kl->ik", x, y),
            tf.einsum("ij->i", x),
            tf.einsum("ij,ij->", x, y),
            tf.add_n([x, y, x]),
            tf.math.squared_difference(x, y),
            tf.tensordot(x, y, [[1], [1]]),
        ),
        x,
        y,
    )
    same(
        answers,
        (
            x @ y.T,
            x @ y.T,
            np.outer(x.sum(1, dtype=dtype), y.sum(1, dtype=dtype)),
            x.sum(1, dtype=dtype),
            (x * y).sum(dtype=dtype),
            x + y + x,
            (x - y) * (x - y),
            x @ y.T,
        ),
    )


def test_a_product_with_a_vector_is_no_product_of_doubles(tf):
    """onnxslim makes a Gemm of it, and Gemm has kernels for real numbers only."""
    x, by = anywhere(NARROW, 4, 3), anywhere(NARROW, 3, seed=1)
    answers = converted(lambda x: tf.einsum("ij,j->i", x, by), x)
    same(answers, (x @ by,))


@pytest.mark.parametrize("dtype", [NARROW, WIDE])
def test_quotients_and_remainders_of_all_numbers(tf, dtype):
    """The least number by -1 wraps to itself; a processor's division fails there."""
    least, most = np.iinfo(dtype).min, np.iinfo(dtype).max
    pairs = [
        (a, b)
        for a in (least, least + 1, -7, -1, 0, 1, 7, most - 1, most)
        for b in (least, -3, -2, -1, 1, 2, 3, most)
    ]
    x, y = np.array(pairs, dtype).T.copy()
    answers = converted(
        lambda x, y: (
            x // y,
            x % y,
            tf.truncatediv(x, y),
            tf.truncatemod(x, y),
            x // -1,
            x % 3,
        ),
        x,
        y,
    )

    def wrapped(numbers):
        return np.array([n & (2 ** (8 * x.itemsize) - 1) for n in numbers], np.uint64)

    def truncated(a, b):
        return abs(a) // abs(b) * (1 if (a < 0) == (b < 0) else -1)

    whole = [(int(a), int(b)) for a, b in pairs]
    expected = (
        [a // b for a, b in whole],
        [a % b for a, b in whole],
        [truncated(a, b) for a, b in whole],
        [a - b * truncated(a, b) for a, b in whole],
        [-a for a, _ in whole],
        [a % 3 for a, _ in whole],
    )
    for answer, numbers in zip(answers, expected, strict=True):
        got = [int(n) & (2 ** (8 * x.itemsize) - 1) for n in answer]
        assert got == wrapped(numbers).tolist()


def test_powers(tf):
    dtype = NARROW
    x = anywhere(dtype, 6, 4)
    y = np.array([[0, 1, 2, 3], [4, 5, 6, 7]] * 3, dtype)
    answers = converted(lambda x, y: (tf.pow(x, y), tf.pow(x, 5), x**2), x, y)
    same(answers, (x**y, x**5, x * x))


def test_a_negative_power_is_refused_as_in_tensorflow(tf):
    x, y = np.array([2], WIDE), np.array([-1], WIDE)
    with pytest.raises(Exception, match="out of data bounds"):
        converted(tf.pow, x, y)


def test_segments(tf):
    dtype = WIDE
    x = anywhere(dtype, 6, 2)
    ids = np.array([0, 0, 1, 1, 1, 3], NARROW)
    answers = converted(
        lambda x, ids: (
            tf.math.unsorted_segment_sum(x, ids, 4),
            tf.math.unsorted_segment_prod(x, ids, 4),
        ),
        x,
        ids,
    )
    parts = [x[ids == n] for n in range(4)]
    same(
        answers,
        (
            np.array([p.sum(0, dtype=dtype) for p in parts]),
            np.array([p.prod(0, dtype=dtype) for p in parts]),
        ),
    )
