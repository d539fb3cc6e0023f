import numpy as np
import pytest

from exporter.errors import ExportError
from tests.exporter.rewrites.converted import converted

pytestmark = pytest.mark.tensorflow


@pytest.mark.parametrize("count", [1, 3])
def test_a_matrix_of_each_row(tf, count):
    """One row is a case of its own: tf2onnx answers it with an axis too few."""
    rows = np.arange(1, 1 + 2 * count, dtype=np.float32).reshape(count, 2)
    main, above, below = converted(
        lambda x: (
            tf.linalg.diag(x),
            tf.linalg.diag(x, k=1),
            tf.linalg.diag(x, k=-1, num_cols=2, padding_value=9.0),
        ),
        rows,
    )
    assert main.tolist() == [np.diag(row).tolist() for row in rows]
    assert above.tolist() == [np.diag(row, 1).tolist() for row in rows]
    for answered, (first, second) in zip(below, rows, strict=True):
        assert answered.tolist() == [[9, 9], [first, 9], [9, second]]


def test_diagonals_are_put_into_matrices(tf):
    matrices = np.zeros((2, 3, 3), np.float32)
    rows = np.array([[1, 2, 3], [4, 5, 6]], np.float32)
    main, beside = converted(
        lambda m, x: (
            tf.linalg.set_diag(m, x),
            tf.linalg.set_diag(m, x[:, :2], k=-1),
        ),
        matrices,
        rows,
    )
    assert main.tolist() == [np.diag(row).tolist() for row in rows]
    assert beside.tolist() == [np.diag(row[:2], -1).tolist() for row in rows]


@pytest.mark.parametrize(
    ("align", "band"),
    [
        ("LEFT_LEFT", [[1, 2, 0], [3, 4, 5], [6, 7, 0]]),
        ("RIGHT_LEFT", [[0, 1, 2], [3, 4, 5], [6, 7, 0]]),
        ("LEFT_RIGHT", [[1, 2, 0], [3, 4, 5], [0, 6, 7]]),
        ("RIGHT_RIGHT", [[0, 1, 2], [3, 4, 5], [0, 6, 7]]),
    ],
)
def test_a_band_of_diagonals_is_filled_up_where_align_says(tf, align, band):
    (answered,) = converted(
        lambda x: tf.linalg.diag(x, k=(-1, 1), align=align),
        np.array([band], np.float32),
    )
    assert answered[0].tolist() == [[3, 1, 0], [6, 4, 2], [0, 7, 5]]


def test_the_former_operators_have_one_diagonal(tf):
    """TensorFlow 1 wrote them, without a number of the diagonal."""
    row, matrix = np.array([[1, 2]], np.float32), np.full((1, 2, 2), 5, np.float32)
    diagonal, placed = converted(
        lambda x, m: (
            tf.raw_ops.MatrixDiag(diagonal=x),
            tf.raw_ops.MatrixSetDiag(input=m, diagonal=x),
        ),
        row,
        matrix,
    )
    assert diagonal.tolist() == [[[1, 0], [0, 2]]]
    assert placed.tolist() == [[[1, 5], [5, 2]]]


def test_a_diagonal_that_is_computed_is_refused(tf):
    row, place = np.array([[1, 2]], np.float32), np.array([0], np.int32)
    for work in (
        lambda x, k: tf.linalg.diag(x, k=k[0]),
        lambda x, k: tf.linalg.set_diag(
            x[:, tf.newaxis] * x[..., tf.newaxis], x, k=k[0]
        ),
    ):
        with pytest.raises(ExportError, match="not ONNX|no operator"):
            converted(work, row, place)
