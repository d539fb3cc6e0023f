"""Expected values come from TensorFlow's own kernels."""

import numpy as np
import pytest

from tests.exporter.rewrites.converted import converted

pytestmark = pytest.mark.tensorflow

SIZES = [(5, 14), (16, 20), (3, 3), (1, 1)]
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


@pytest.mark.parametrize("kernel", KERNELS)
@pytest.mark.parametrize("antialias", [True, False])
def test_a_kernel(tf, pictures, kernel, antialias):
    def resized(x):
        return tf.concat(
            [
                tf.reshape(
                    tf.raw_ops.ScaleAndTranslate(
                        images=x,
                        size=size,
                        scale=[size[0] / 8, size[1] / 10],
                        translation=[0.5, -0.25],
                        kernel_type=kernel,
                        antialias=antialias,
                    ),
                    [tf.shape(x)[0], -1],
                )
                for size in SIZES
            ],
            axis=1,
        )

    (found,) = converted(resized, pictures)
    np.testing.assert_allclose(found, resized(tf.constant(pictures)), atol=2e-6)


@pytest.mark.parametrize(
    ("aligned", "half"), [(False, False), (True, False), (False, True)]
)
@pytest.mark.parametrize(
    "operator", ["ResizeBilinear", "ResizeNearestNeighbor", "ResizeBicubic"]
)
def test_each_convention_of_where_pixels_are(tf, pictures, operator, aligned, half):
    def resized(x):
        return [
            getattr(tf.raw_ops, operator)(
                images=x, size=size, align_corners=aligned, half_pixel_centers=half
            )
            for size in SIZES
        ]

    check_each(converted(resized, pictures), resized(tf.constant(pictures)))


@pytest.mark.parametrize("aligned", [True, False])
def test_areas(tf, pictures, aligned):
    def resized(x):
        return [
            tf.raw_ops.ResizeArea(images=x, size=size, align_corners=aligned)
            for size in SIZES
        ]

    check_each(converted(resized, pictures), resized(tf.constant(pictures)))


def check_each(found, expected):
    for size, answered, wanted in zip(SIZES, found, expected, strict=True):
        np.testing.assert_allclose(answered, wanted, atol=2e-6, err_msg=str(size))


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
