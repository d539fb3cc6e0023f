"""Norms, sums of exponentials, and products that a 0 decides are as NumPy's."""

import numpy as np
import pytest

from tests.exporter.rewrites.converted import converted

pytestmark = pytest.mark.tensorflow


def test_norms(tf):
    x = np.array([[3, 4, 0], [1, -2, 2]], np.float32)
    loss, norms, whole = converted(
        lambda x: (
            tf.nn.l2_loss(x),
            tf.math.reduce_euclidean_norm(x, 1),
            tf.math.reduce_euclidean_norm(tf.cast(x, tf.int32), 1),
        ),
        x,
    )
    assert loss == 17
    assert norms.tolist() == [5, 3]
    assert whole.tolist() == [5, 3]
    assert whole.dtype == np.int32


@pytest.mark.parametrize("is_reversed", [False, True])
@pytest.mark.parametrize("is_exclusive", [False, True])
def test_sums_of_exponentials_keep_what_is_small(tf, is_exclusive, is_reversed):
    """The row has 100 and -100: a sum of both exponentials shows only the larger."""
    x = np.array([[-100.0, -101, 100, 99]], np.float32)
    (answered,) = converted(
        lambda x: tf.math.cumulative_logsumexp(x, 1, is_exclusive, is_reversed), x
    )
    row = x[0, ::-1] if is_reversed else x[0]
    summed = np.logaddexp.accumulate(row.astype(np.float64))
    if is_exclusive:
        summed = np.concatenate([[-np.inf], summed[:-1]])
    expected = summed[::-1] if is_reversed else summed
    np.testing.assert_allclose(answered[0], expected, rtol=1e-6)


def test_a_0_decides(tf):
    x = np.array([0.0, 0, 2, 0], np.float32)
    y = np.array([0.0, np.nan, 3, np.inf], np.float32)
    answers = converted(
        lambda x, y: (
            tf.math.xlogy(x, y),
            tf.math.xlog1py(x, y),
            tf.math.xdivy(x, y),
            tf.math.multiply_no_nan(y, x),
        ),
        x,
        y,
    )
    third = [2 * np.log(3), 2 * np.log(4), 2 / 3, 6]
    for answered, value in zip(answers, third, strict=True):
        np.testing.assert_allclose(answered, [0, 0, value, 0], rtol=1e-6)
