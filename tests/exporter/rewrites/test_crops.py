"""Expected values are sums done by hand, and TensorFlow's own kernel."""

import numpy as np
import pytest

from tests.exporter.rewrites.converted import conversion, converted

pytestmark = pytest.mark.tensorflow

# The picture is (1, 2, 3, 1): its rows are 0 1 2 and 3 4 5.
IMAGE = np.arange(6, dtype=np.float32).reshape(1, 2, 3, 1)


@pytest.fixture(scope="module")
def crop(tf):
    """Return a model's answer for a box and a size; 9 is the value of what is outside.

    The model is converted once, and is told the size when it runs.
    """
    run = conversion(
        lambda image, boxes, size: tf.image.crop_and_resize(
            image, boxes, [0], size[0], extrapolation_value=9.0
        ),
        IMAGE,
        np.zeros((1, 4), np.float32),
        np.zeros((1, 2), np.int32),
    )

    def crop(box, size):
        (cropped,) = run(IMAGE, np.array([box], np.float32), np.array([size], np.int32))
        return cropped[0, :, :, 0].tolist()

    return crop


def test_a_crop_of_all_is_the_image(crop):
    assert crop([0, 0, 1, 1], [2, 3]) == [[0, 1, 2], [3, 4, 5]]


def test_pixels_between_are_weighed(crop):
    assert crop([0, 0, 1, 1], [3, 5])[1] == [1.5, 2.0, 2.5, 3.0, 3.5]


def test_a_crop_of_one_pixel_is_of_the_middle(crop):
    assert crop([0, 0, 1, 1], [1, 1]) == [[2.5]]


def test_what_lies_outside_has_its_own_value(crop):
    assert crop([0, 0, 2, 1], [3, 3]) == [[0, 1, 2], [3, 4, 5], [9, 9, 9]]


def test_a_box_may_be_turned_round(crop):
    assert crop([1, 1, 0, 0], [2, 3]) == [[5, 4, 3], [2, 1, 0]]


@pytest.mark.parametrize("method", ["bilinear", "nearest"])
def test_crops_of_bytes_are_as_tensorflows(tf, method):
    generator = np.random.default_rng(0)
    images = generator.integers(0, 256, (3, 7, 5, 2), np.uint8)
    boxes = generator.uniform(-0.2, 1.2, (3, 4)).astype(np.float32)

    def run(images, boxes):
        return tf.image.crop_and_resize(images, boxes, [2, 0, 1], [4, 6], method)

    (answered,) = converted(run, images, boxes)
    np.testing.assert_allclose(answered, run(images, boxes), rtol=1e-4, atol=1e-4)
