import numpy as np
import pytest

from tests.exporter.rewrites.converted import converted

pytestmark = pytest.mark.tensorflow

ROWS = np.arange(1, 9, dtype=np.float32).reshape(2, 4)


def filled(tf, lengths, **how):
    (answered,) = converted(
        lambda x, n: tf.RaggedTensor.from_tensor(x, lengths=n).to_tensor(**how),
        ROWS,
        np.array(lengths, np.int32),
    )
    return answered.tolist()


def test_rows_are_filled_up_to_the_longest(tf):
    assert filled(tf, [1, 3], default_value=-1.0) == [[1, -1, -1], [5, 6, 7]]


def test_rows_that_are_all_empty(tf):
    assert filled(tf, [0, 0], shape=[None, 2]) == [[0, 0], [0, 0]]


def test_rows_are_cut_and_added_to_the_shape(tf):
    assert filled(tf, [4, 1], shape=[3, 2]) == [[1, 2], [5, 0], [0, 0]]


def test_a_sparse_matrix_times_a_dense_one_and_what_its_rows_come_to(tf):
    x = np.array([[0, 2, 0], [0, 0, 0], [1, 0, 1]], np.float32)
    dense = np.arange(6, dtype=np.float32).reshape(3, 2)

    def run(x):
        sparse = tf.sparse.from_dense(x)
        return (
            tf.sparse.sparse_dense_matmul(sparse, dense),
            tf.ensure_shape(tf.sparse.reduce_sum(sparse, axis=1), [None]),
            tf.sparse.to_dense(tf.sparse.softmax(sparse)),
        )

    product, sums, shares = converted(run, x)
    np.testing.assert_array_equal(product, x @ dense)
    assert sums.tolist() == [2, 0, 2]
    assert shares.tolist() == [[0, 1, 0], [0, 0, 0], [0.5, 0, 0.5]]


def test_rows_in_rows_are_filled_up_by_tf2onnx(tf):
    def work(x):
        rows = tf.RaggedTensor.from_tensor(tf.stack([x, 2 * x]), ragged_rank=2)
        return rows.to_tensor(-1.0, shape=[2, 2, 5])

    (answered,) = converted(work, ROWS)
    expected = np.pad([ROWS, 2 * ROWS], ((0, 0), (0, 0), (0, 1)), constant_values=-1)
    np.testing.assert_array_equal(answered, expected)
