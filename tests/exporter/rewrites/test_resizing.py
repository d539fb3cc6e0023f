"""Expected values come from TensorFlow's own kernels."""

import numpy as np
import pytest

from tests.exporter.rewrites.converted import conversion, converted

pytestmark = pytest.mark.tensorflow

SIZES = [(5, 14), (16, 20), (3, 3), (1, 1)]
CONVENTIONS = [(False, False), (True, False), (False, True)]
KERNELS = [
    "lanczos1",
    "lanczos3",
    "lanczos5",
    "gaussian",
    "box",
    "triangle",
    "keyscubic",
    "mitchellcubic",
]


@pytest.fixture(scope="module")
def pictures():
    """Return ``(2, 8, 10, 3)``, float32 from 0 to 1."""
    return np.random.default_rng(0).random((2, 8, 10, 3), np.float32)


def check_each_size(tf, resized, pictures):
    """Convert once, and let the model be given each of the sizes."""

    def all_of(images, size):
        return resized(images, size[0])

    run = conversion(all_of, pictures, np.array(SIZES[:1], np.int32))
    for size in SIZES:
        wanted = np.array([size], np.int32)
        expected = all_of(tf.constant(pictures), tf.constant(wanted))
        check_each(run(pictures, wanted), expected, size)


def check_each(found, expected, size):
    for answered, wanted in zip(found, expected, strict=True):
        np.testing.assert_allclose(answered, wanted, atol=2e-6, err_msg=str(size))


def scaled(tf, images, size, kernel):
    """Return the pictures with antialiasing, and without."""
    return [
        tf.raw_ops.ScaleAndTranslate(
            images=images,
            size=size,
            scale=tf.cast(size, tf.float32) / [8.0, 10.0],
            translation=[0.5, -0.25],
            kernel_type=kernel,
            antialias=antialias,
        )
        for antialias in (True, False)
    ]


@pytest.mark.parametrize("kernel", KERNELS)
def test_a_kernel(tf, pictures, kernel):
    check_each_size(tf, lambda x, size: scaled(tf, x, size, kernel), pictures)


@pytest.mark.parametrize("size", SIZES)
def test_a_kernel_for_a_known_size(tf, pictures, size):
    """The weights are constants in the ONNX."""

    def resized(x):
        return scaled(tf, x, tf.constant(size), "lanczos3")

    check_each(converted(resized, pictures), resized(tf.constant(pictures)), size)


@pytest.mark.parametrize(("aligned", "half"), CONVENTIONS)
@pytest.mark.parametrize("operator", ["ResizeBilinear", "ResizeNearestNeighbor"])
def test_each_convention_of_where_pixels_are(tf, pictures, operator, aligned, half):
    def resized(x):
        return [
            getattr(tf.raw_ops, operator)(
                images=x, size=size, align_corners=aligned, half_pixel_centers=half
            )
            for size in SIZES
        ]

    check_each(converted(resized, pictures), resized(tf.constant(pictures)), SIZES)


@pytest.mark.parametrize(("aligned", "half"), CONVENTIONS)
def test_each_convention_of_cubics(tf, pictures, aligned, half):
    def resized(x, size):
        return [
            tf.raw_ops.ResizeBicubic(
                images=x, size=size, align_corners=aligned, half_pixel_centers=half
            )
        ]

    check_each_size(tf, resized, pictures)


def test_areas(tf, pictures):
    def resized(x, size):
        return [
            tf.raw_ops.ResizeArea(images=x, size=size, align_corners=aligned)
            for aligned in (True, False)
        ]

    check_each_size(tf, resized, pictures)


@pytest.mark.parametrize("method", ["bilinear", "nearest", "bicubic", "area"])
def test_pictures_of_other_numbers(tf, method):
    drawn = np.random.default_rng(0).integers(0, 256, (2, 8, 10, 3))
    pictures = [
        drawn.astype(dtype) for dtype in (np.uint8, np.int16, np.int64, np.float64)
    ]

    def resized(*pictures):
        return [tf.image.resize(x, (5, 14), method) for x in pictures]

    answers = resized(*map(tf.constant, pictures))
    for found, expected in zip(converted(resized, *pictures), answers, strict=True):
        assert found.dtype == expected.dtype.as_numpy_dtype
        np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-4)


@pytest.mark.parametrize("method", ["bilinear", "nearest", "bicubic", "area"])
def test_sizes_that_the_pictures_decide(tf, pictures, method):
    def resized(x):
        return tf.image.resize(x, tf.shape(x)[1:3] * 3 // 2, method)

    (found,) = converted(resized, pictures)
    np.testing.assert_allclose(found, resized(tf.constant(pictures)), atol=2e-6)
