"""Expected values are counted by hand or come from NumPy."""

import numpy as np
import pytest

from tests.exporter.rewrites.converted import converted

pytestmark = pytest.mark.tensorflow


def test_a_segment_of_nothing_has_the_least_number(tf):
    x = np.array([1.0, 5.0, 2.0], np.float32)
    ids = np.array([0, 0, 2], np.int32)
    most, total = converted(
        lambda x, i: (
            tf.math.unsorted_segment_max(x, i, 3),
            tf.math.unsorted_segment_sum(x, i, 3),
        ),
        x,
        ids,
    )
    np.testing.assert_array_equal(most, [5, np.finfo(np.float32).min, 2])
    np.testing.assert_array_equal(total, [6, 0, 2])


def test_a_sorted_segment_of_nothing_has_0(tf):
    x, ids = np.array([[1, 5], [2, 2]], np.int32), np.array([0, 2], np.int32)
    most, product = converted(
        lambda x, i: (tf.math.segment_max(x, i), tf.math.segment_prod(x, i)), x, ids
    )
    np.testing.assert_array_equal(most, [[1, 5], [0, 0], [2, 2]])
    np.testing.assert_array_equal(product, [[1, 5], [1, 1], [2, 2]])


def test_an_id_that_is_no_segment_is_left_out(tf):
    x, ids = np.array([1.0, 5.0]), np.array([-1, 0], np.int32)
    (total,) = converted(lambda x, i: tf.math.unsorted_segment_sum(x, i, 2), x, ids)
    np.testing.assert_array_equal(total, [5, 0])


@pytest.mark.parametrize("side", ["left", "right"])
def test_where_a_number_belongs(tf, side):
    edges = np.array([[1.0, 2, 2, 3]])
    wanted = np.array([[0.0, 1, 2, 2.5, 9]])
    (answered,) = converted(
        lambda e, w: tf.searchsorted(e, w, side=side), edges, wanted
    )
    np.testing.assert_array_equal(
        answered[0], np.searchsorted(edges[0], wanted[0], side)
    )


def test_a_target_among_the_best(tf):
    scores = np.array([[1.0, 3, 2], [1, 3, 2], [1, 3, 2], [2, 2, 2]], np.float32)
    targets = np.array([0, 1, 2, 0], np.int32)
    (answered,) = converted(lambda s, t: tf.math.in_top_k(t, s, 1), scores, targets)
    assert answered.tolist() == [False, True, False, True]


def test_unique_values_stand_as_they_came(tf):
    x = np.array([4, 1, 4, 2, 1], np.int32)
    values, inverse, counts = converted(tf.unique_with_counts, x)
    assert values.tolist() == [4, 1, 2]
    assert inverse.tolist() == [0, 1, 0, 2, 1]
    assert counts.tolist() == [2, 2, 1]
    assert inverse.dtype == counts.dtype == np.int32


def test_unique_rows(tf):
    x = np.array([[1, 2], [0, 0], [1, 2]], np.float32)
    values, inverse = converted(lambda x: tf.raw_ops.UniqueV2(x=x, axis=[0]), x)
    assert values.tolist() == [[1, 2], [0, 0]]
    assert inverse.tolist() == [0, 1, 0]


def test_a_permutation_and_its_inverse(tf):
    (answered,) = converted(tf.math.invert_permutation, np.array([2, 0, 1], np.int32))
    assert answered.tolist() == [1, 2, 0]


@pytest.mark.parametrize(
    "cut",
    [
        lambda x: x[..., ::-1, :],
        lambda x: x[..., 0],
        lambda x: x[:, None, ..., 1],
        lambda x: x[..., None],
    ],
)
def test_an_ellipsis_may_stand_for_no_axis(tf, cut):
    x = np.arange(6.0).reshape(2, 3)
    (answered,) = converted(cut, x)
    np.testing.assert_array_equal(answered, cut(x))


def test_an_ellipsis_before_a_place_that_is_computed(tf):
    """The rows are counted when the model runs: two rows mean the second column."""
    x = np.arange(6.0).reshape(2, 3)
    (answered,) = converted(lambda x: x[..., tf.shape(x)[0] - 1], x)
    assert answered.tolist() == [1, 4]


def test_a_known_side_is_a_constant(tf):
    """Half of the five steps is between two places: onnxslim takes the second."""
    x = np.array([[5.0, 1, 4, 2, 3, 0]], np.float32)

    def middle(x):
        rows = tf.sort(tf.reshape(x, tf.stack([tf.shape(x)[0], -1])))
        last = tf.cast(tf.shape(rows)[-1], tf.float64) - 1
        return tf.gather(rows, tf.cast(tf.math.ceil(last * 0.5), tf.int32), axis=-1)

    (answered,) = converted(middle, x)
    assert answered.tolist() == [3.0]


def test_an_update_gives_way_at_the_end(tf):
    x, new = np.zeros((3, 4), np.float32), np.ones((2, 2), np.float32)
    from keras import ops

    (answered,) = converted(lambda x, u: ops.slice_update(x, (2, 1), u), x, new)
    expected = x.copy()
    expected[1:3, 1:3] = 1
    np.testing.assert_array_equal(answered, expected)


def test_shapes_put_together(tf):
    first = np.array([2, 1, 3], np.int32)
    (answered,) = converted(lambda a: tf.raw_ops.BroadcastArgs(s0=a, s1=[4, 1]), first)
    assert answered.tolist() == list(np.broadcast_shapes((2, 1, 3), (4, 1)))


def test_greedy_ctc_keeps_what_a_blank_stands_between(tf):
    """Class 1, blank, class 1 again give two labels; class 2 twice gives one."""
    best = np.array([1, 0, 1, 2, 2, 0])
    logits = np.eye(3, dtype=np.float32)[best][np.newaxis]

    def decode(x):
        (found,), scores = tf.nn.ctc_greedy_decoder(
            tf.transpose(x, [1, 0, 2]), tf.fill([tf.shape(x)[0]], 6), blank_index=0
        )
        return found.indices, found.values, scores

    places, values, scores = converted(decode, logits)
    assert values.tolist() == [1, 1, 2]
    assert places.tolist() == [[0, 0], [0, 1], [0, 2]]
    assert scores.tolist() == [[-6.0]]


def test_an_update_of_flags(tf):
    """TensorFlow pads no flags."""
    from keras import ops

    x, new = np.ones((2, 3), bool), np.zeros((1, 2), bool)
    (answered,) = converted(lambda x, u: ops.slice_update(x, (1, 0), u), x, new)
    assert answered.tolist() == [[True, True, True], [False, False, True]]


@pytest.mark.parametrize("dtype", [np.uint8, np.int32, np.int64])
@pytest.mark.parametrize("axis", [-1, 0, 1])
def test_one_hot_of_any_whole_number(tf, dtype, axis):
    """An index that is too large has no 1."""
    places = np.array([[0, 2], [7, 1]], dtype)
    (answered,) = converted(lambda i: tf.one_hot(i, 3, axis=axis), places)
    expected = np.eye(8, 3, dtype=np.float32)[places]
    np.testing.assert_array_equal(answered, np.moveaxis(expected, -1, axis))
