import numpy as np
import pytest

from tests.exporter.rewrites.converted import converted

pytestmark = pytest.mark.tensorflow

X = np.array([[-3.0, -0.26, 0.0], [0.24, 0.26, 0.74], [0.76, 1.4, 9.0]], np.float32)


def test_numbers_go_to_the_nearest_step_between_the_bounds(tf):
    """Two bits from 0 to 1.5 give four numbers, half a unit apart."""
    (answered,) = converted(
        lambda x: tf.quantization.fake_quant_with_min_max_args(x, 0, 1.5, 2), X
    )
    np.testing.assert_allclose(answered, [[0, 0, 0], [0, 0.5, 0.5], [1, 1.5, 1.5]])


def test_bounds_move_until_0_is_a_step(tf):
    """The steps from -0.6 to 0.9 have half a unit, so the range becomes -0.5 to 1."""
    (answered,) = converted(
        lambda x: tf.quantization.fake_quant_with_min_max_vars(x, -0.6, 0.9, 2), X
    )
    expected = [[-0.5, -0.5, 0], [0, 0.5, 0.5], [1, 1, 1]]
    np.testing.assert_allclose(answered, expected, atol=1e-6)


def test_each_channel_has_bounds_of_its_own_and_bounds_of_nothing_give_nothing(tf):
    (answered,) = converted(
        lambda x: tf.quantization.fake_quant_with_min_max_vars_per_channel(
            x, [0.0, -3.0, 0.0], [3.0, 0.0, 0.0], 2
        ),
        X,
    )
    np.testing.assert_allclose(answered, [[0, 0, 0], [0, 0, 0], [1, 0, 0]])


def test_a_narrow_range_has_one_step_less(tf):
    """Three bits give seven numbers from -3 to 3."""
    (answered,) = converted(
        lambda x: tf.quantization.fake_quant_with_min_max_args(x, -3, 3, 3, True), X
    )
    np.testing.assert_allclose(answered, [[-3, 0, 0], [0, 0, 1], [1, 1, 3]])
