"""Expected slopes are differences of the function itself, in float64."""

import numpy as np
import pytest

from tests.exporter.rewrites.converted import converted

pytestmark = pytest.mark.tensorflow

# No activation has a corner at these points.
POINTS = np.array([[-2.5, -0.7, 0.4], [1.3, 5.1, 7.2]])
STEP = 1e-5


def slopes(function):
    """Return the slopes of a function of rows, by each number of a row."""
    columns = []
    for column in range(POINTS.shape[1]):
        step = np.zeros_like(POINTS)
        step[:, column] = STEP
        difference = np.asarray(function(POINTS + step)) - function(POINTS - step)
        columns.append(difference / (2 * STEP))
    return np.stack(columns, axis=1)


def assert_slope(tf, function):
    def slope(x):
        with tf.GradientTape() as tape:
            tape.watch(x)
            answer = function(x)
        return tape.gradient(answer, x)

    (answered,) = converted(slope, POINTS.astype(np.float32))
    np.testing.assert_allclose(answered, slopes(function), rtol=1e-3, atol=1e-4)


ACTIVATIONS = (
    *("elu", "gelu", "leaky_relu", "relu", "relu6", "selu"),
    *("sigmoid", "silu", "softmax", "softplus", "softsign", "tanh"),
)


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_the_slope_of_an_activation(tf, name):
    activation = getattr(tf.nn, name)
    assert_slope(tf, lambda x: tf.reduce_sum(activation(x) ** 2, axis=-1))


def test_the_slope_of_a_root_and_of_a_quotient(tf):
    def function(x):
        roots = tf.sqrt(x * x + 1) + tf.math.rsqrt(x * x + 2)
        return tf.reduce_sum(roots + tf.math.reciprocal(x * x + 3), axis=-1)

    assert_slope(tf, function)
