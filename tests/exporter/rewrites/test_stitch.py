import numpy as np
import pytest

from tests.exporter.rewrites.converted import converted

pytestmark = pytest.mark.tensorflow


def test_rows_are_put_in_their_places_and_the_last_one_stays(tf):
    rows = np.array([[1, 2], [3, 4], [5, 6]], np.float32)

    def stitch(rows):
        return tf.dynamic_stitch([[2, 0], [1, 2]], [rows[:2], rows[1:]])

    (answered,) = converted(stitch, rows)
    assert answered.tolist() == [[3, 4], [3, 4], [5, 6]]


def test_places_that_are_given(tf):
    rows = np.array([[1, 2], [3, 4], [5, 6]], np.float32)
    places = np.array([2, 0, 1], np.int32)
    (answered,) = converted(lambda p, r: tf.dynamic_stitch([p], [r]), places, rows)
    assert answered.tolist() == [[3, 4], [5, 6], [1, 2]]
