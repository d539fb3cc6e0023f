"""Expected values come from NumPy."""

import numpy as np
import pytest

from tests.exporter.rewrites.converted import converted

pytestmark = pytest.mark.tensorflow


@pytest.mark.parametrize("steps", [1, 5])
def test_heads_are_split_after_a_dense_layer(steps):
    """tf2onnx joined both reshapes, and took the sides of the wrong one."""
    import tensorflow as tf

    x = np.random.default_rng(0).normal(size=(3, steps, 8)).astype(np.float32)
    kernel = np.random.default_rng(1).normal(size=(8, 8)).astype(np.float32)

    def split(x, like):
        x = tf.concat([x, like], axis=1)[:, : tf.shape(like)[1]]
        dense = tf.tensordot(x, kernel, [[2], [0]])
        sides = tf.shape(dense)
        return tf.reshape(dense, [sides[0], sides[1], 2, 4])

    (answered,) = converted(split, x, x)
    np.testing.assert_allclose(
        answered, (x @ kernel).reshape(3, steps, 2, 4), rtol=1e-4, atol=1e-5
    )
