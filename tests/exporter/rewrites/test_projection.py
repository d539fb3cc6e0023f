"""Expected values come from TensorFlow's own kernel, run without a graph."""

import numpy as np
import pytest

from tests.exporter.rewrites.converted import converted

pytestmark = pytest.mark.tensorflow

PICTURES = np.random.default_rng(0).uniform(size=(3, 6, 7, 3)).astype(np.float32)
MOVES = np.array(
    [
        [0.9, 0.3, -2.2, -0.3, 1.1, 3.4, 0.0, 0.0],  # turned
        [1.0, 0.0, -20.3, 0.0, 1.0, 17.6, 0.0, 0.0],  # far
        [1.1, 0.1, -1.0, 0.2, 0.8, 0.5, 0.02, -0.03],  # bent
    ],
    np.float32,
)


def check(tf, moves, fill, way):
    def projected(images):
        return tf.raw_ops.ImageProjectiveTransformV3(
            images=images,
            transforms=moves,
            output_shape=tf.constant([5, 8]),
            fill_value=0.25,
            interpolation=way,
            fill_mode=fill,
        )

    (answered,) = converted(projected, PICTURES)
    np.testing.assert_allclose(answered, projected(PICTURES).numpy(), atol=1e-4)


@pytest.mark.parametrize("fill", ["CONSTANT", "NEAREST", "WRAP", "REFLECT"])
@pytest.mark.parametrize("way", ["BILINEAR", "NEAREST"])
def test_a_picture_is_looked_up_where_its_transform_says(tf, fill, way):
    check(tf, MOVES, fill, way)


@pytest.mark.parametrize("way", ["BILINEAR", "NEAREST"])
def test_all_pictures_are_looked_up_where_one_transform_says(tf, way):
    check(tf, MOVES[2:], "CONSTANT", way)
