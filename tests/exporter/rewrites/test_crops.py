"""Expected values are sums done by hand, and TensorFlow's own kernel."""

import numpy as np
import pytest

from tests.exporter.rewrites.converted import converted

pytestmark = pytest.mark.tensorflow

# The picture is (1, 2, 3, 1): its rows are 0 1 2 and 3 4 5.
IMAGE = np.arange(6, dtype=np.float32).reshape(1, 2, 3, 1)


def crop(tf, box, size, image=IMAGE, **how):
    boxes = np.array([box], np.float32)
    (cropped,) = converted(
        lambda image, boxes: tf.image.crop_and_resize(image, boxes, [0], size, **how),
        image,
        boxes,
    )
    return cropped[0, :, :, 0].tolist()


def test_a_crop_of_all_is_the_image(tf):
    assert crop(tf, [0, 0, 1, 1], [2, 3]) == [[0, 1, 2], [3, 4, 5]]


def test_pixels_between_are_weighed(tf):
    assert crop(tf, [0, 0, 1, 1], [3, 5])[1] == [1.5, 2.0, 2.5, 3.0, 3.5]


def test_a_crop_of_one_pixel_is_of_the_middle(tf):
    assert crop(tf, [0, 0, 1, 1], [1, 1]) == [[2.5]]


def test_what_lies_outside_has_its_own_value(tf):
    cropped = crop(tf, [0, 0, 2, 1], [3, 3], extrapolation_value=9.0)
    assert cropped == [[0, 1, 2], [3, 4, 5], [9, 9, 9]]


def test_a_box_may_be_turned_round(tf):
    assert crop(tf, [1, 1, 0, 0], [2, 3]) == [[5, 4, 3], [2, 1, 0]]


@pytest.mark.parametrize("method", ["bilinear", "nearest"])
def test_crops_of_bytes_are_as_tensorflows(tf, method):
    generator = np.random.default_rng(0)
    images = generator.integers(0, 256, (3, 7, 5, 2), np.uint8)
    boxes = generator.uniform(-0.2, 1.2, (3, 4)).astype(np.float32)

    def run(images, boxes):
        return tf.image.crop_and_resize(images, boxes, [2, 0, 1], [4, 6], method)

    (answered,) = converted(run, images, boxes)
    np.testing.assert_allclose(answered, run(images, boxes), rtol=1e-4, atol=1e-4)
