import numpy as np
import pytest

from tests.exporter.rewrites.converted import converted

pytestmark = pytest.mark.tensorflow


def test_rows_for_one_place_are_summed(tf):
    places = np.array([[2], [0], [2]], np.int32)
    rows = np.array([[1, 2], [3, 4], [5, 6]], np.float32)
    summed, whole, flags = converted(
        lambda p, r: (
            tf.scatter_nd(p, r, [4, 2]),
            tf.scatter_nd(tf.cast(p, tf.int64), tf.cast(r, tf.int32), [4, 2]),
            tf.scatter_nd(p, r > 4, [4, 2]),
        ),
        places,
        rows,
    )
    assert summed.tolist() == [[3, 4], [0, 0], [6, 8], [0, 0]]
    assert whole.tolist() == summed.tolist()
    assert flags.any(axis=1).tolist() == [False, False, True, False]
    assert flags.all(axis=1).tolist() == [False, False, True, False]


def test_many_rows_for_one_place_are_summed_every_time(tf):
    """More than one thread of ONNX Runtime adds to the place."""
    places = np.zeros((100_000, 1), np.int64)
    ones = np.ones(100_000, np.float32)
    (answered,) = converted(lambda p, r: tf.scatter_nd(p, r, [1]), places, ones)
    assert answered.tolist() == [100_000]


def test_an_index_that_is_no_place_has_no_one(tf):
    indices = np.array([[0, -1], [2, 3]], np.int32)
    hot, flags, across = converted(
        lambda i: (
            tf.one_hot(i, 3),
            tf.one_hot(tf.cast(i, tf.int64), 3, True, False, dtype=tf.bool),
            tf.one_hot(i, 3, 5, -1, axis=1, dtype=tf.int32),
        ),
        indices,
    )
    expected = [[[1, 0, 0], [0, 0, 0]], [[0, 0, 1], [0, 0, 0]]]
    assert hot.tolist() == expected
    assert flags.tolist() == (np.array(expected) > 0).tolist()
    turned = np.swapaxes(np.array(expected), 1, 2)
    assert across.tolist() == np.where(turned > 0, 5, -1).tolist()
