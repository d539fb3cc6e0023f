"""Expected values come from TensorFlow's own hashes of the texts."""

import numpy as np
import pytest

from exporter.errors import ExportError
from tests.exporter.rewrites.converted import converted

pytestmark = pytest.mark.tensorflow

# The number is a prime, and large enough to keep two hashes apart.
BUCKETS = 2**40 - 87


def numbers():
    """Return numbers of every length that an int64 has, with and without a sign."""
    drawn = np.random.default_rng(0)
    some = [drawn.integers(-(10**size), 10**size, 8) for size in range(1, 19)]
    ends = [0, 9, -9, 10, -10, 10**18, -(10**18), 2**63 - 1, -(2**63)]
    return np.concatenate([*some, np.array(ends, np.int64)])


def test_the_fast_hash_of_every_length(tf):
    def hashed(x):
        return tf.strings.to_hash_bucket_fast(tf.strings.as_string(x), BUCKETS)

    (found,) = converted(hashed, numbers())
    np.testing.assert_array_equal(found, hashed(tf.constant(numbers())))


def test_the_strong_hash_of_every_length(tf):
    """One number of the key fills all 64 bits, and the other one a few."""
    key = (-1, 77)

    def hashed(x):
        texts = tf.strings.as_string(x)
        return tf.strings.to_hash_bucket_strong(texts, BUCKETS, key)

    (found,) = converted(hashed, numbers())
    np.testing.assert_array_equal(found, hashed(tf.constant(numbers())))


def test_the_hash_of_several_columns(tf):
    def crossed(*columns):
        return tf.sparse.to_dense(tf.sparse.cross_hashed(columns, BUCKETS))

    columns = [numbers()[:, np.newaxis], numbers()[::-1, np.newaxis]]
    (found,) = converted(crossed, *columns)
    np.testing.assert_array_equal(found, crossed(*map(tf.constant, columns)))


def test_short_whole_numbers(tf):
    x = np.array([0, 9, 10, 200, 255], np.uint8)

    def hashed(x):
        return tf.strings.to_hash_bucket_fast(tf.strings.as_string(x), BUCKETS)

    (found,) = converted(hashed, x)
    np.testing.assert_array_equal(found, hashed(tf.constant(x)))


def test_texts_that_come_as_texts_are_refused(tf):
    with pytest.raises(ExportError, match="StringToHashBucketFast"):
        converted(
            lambda x: tf.strings.to_hash_bucket_fast(x, 5), np.array(["a"], object)
        )


def test_texts_are_refused_by_the_strong_hash_too(tf):
    with pytest.raises(ExportError, match="StringToHashBucketStrong"):
        converted(
            lambda x: tf.strings.to_hash_bucket_strong(x, 5, [1, 2]),
            np.array(["a"], object),
        )


@pytest.mark.parametrize(
    ("numbers", "how"),
    [
        (np.array([1, 2]), {"width": 4}),
        (np.array([1, 2]), {"width": 4, "fill": "0"}),
        (np.array([1.5, 2.0]), {}),
        (np.array([1, 2], np.uint64), {}),
    ],
)
def test_texts_of_another_form_are_refused_and_not_hashed_wrongly(tf, numbers, how):
    with pytest.raises(ExportError, match="StringToHashBucketFast"):
        converted(
            lambda x: tf.strings.to_hash_bucket_fast(
                tf.strings.as_string(x, **how), BUCKETS
            ),
            numbers,
        )


def test_a_cross_that_is_not_hashed_is_refused(tf):
    """Such a cross answers with texts."""
    with pytest.raises(ExportError, match="SparseCrossV2"):
        converted(
            lambda x: tf.sparse.to_dense(tf.sparse.cross([x, x])),
            np.array([[1], [2]]),
        )


def test_a_cross_of_several_numbers_a_row_is_refused(tf):
    with pytest.raises(ExportError, match="SparseCross"):
        converted(
            lambda x: tf.sparse.to_dense(tf.sparse.cross_hashed([x, x], BUCKETS)),
            np.array([[1, 2], [3, 4]]),
        )
