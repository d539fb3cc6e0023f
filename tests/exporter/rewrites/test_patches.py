"""Expected values are counted by hand, window by window."""

import numpy as np
import pytest

from tests.exporter.rewrites.converted import converted

pytestmark = pytest.mark.tensorflow

IMAGE = np.random.default_rng(0).normal(size=(2, 5, 6, 2)).astype(np.float32)


def windows(image, size, stride, rate, padding, outside):
    """Return ``(N, rows, columns, h, w, C)`` as TensorFlow's guide describes it."""
    reach = [(side - 1) * rate + 1 for side in size]
    if padding == "SAME":
        counts = [-(-length // stride) for length in image.shape[1:3]]
        missing = [
            max((count - 1) * stride + far - length, 0)
            for count, far, length in zip(counts, reach, image.shape[1:3], strict=True)
        ]
        edges = [(both // 2, both - both // 2) for both in missing]
        image = np.pad(image, [(0, 0), *edges, (0, 0)], constant_values=outside)
    else:
        counts = [
            (length - far) // stride + 1
            for far, length in zip(reach, image.shape[1:3], strict=True)
        ]
    return np.stack(
        [
            np.stack(
                [
                    image[
                        :,
                        row * stride : row * stride + reach[0] : rate,
                        column * stride : column * stride + reach[1] : rate,
                    ]
                    for column in range(counts[1])
                ],
                axis=1,
            )
            for row in range(counts[0])
        ],
        axis=1,
    )


CASES = [
    (padding, stride, rate)
    for padding in ("SAME", "VALID")
    for stride, rate in ((1, 1), (2, 1), (1, 2), (3, 2))
]


@pytest.mark.parametrize(("padding", "stride", "rate"), CASES)
def test_patches(tf, padding, stride, rate):
    how = [1, stride, stride, 1], [1, rate, rate, 1], padding
    (answered,) = converted(
        lambda x: tf.image.extract_patches(x, [1, 2, 3, 1], *how), IMAGE
    )
    seen = windows(IMAGE, (2, 3), stride, rate, padding, 0)
    np.testing.assert_array_equal(answered, seen.reshape(*seen.shape[:3], -1))


@pytest.mark.parametrize(("padding", "stride", "rate"), CASES)
def test_greyscale_dilation(tf, padding, stride, rate):
    kernel = np.random.default_rng(1).normal(size=(2, 3, 2)).astype(np.float32)
    (answered,) = converted(
        lambda x: tf.nn.dilation2d(
            x, kernel, [1, stride, stride, 1], padding, "NHWC", [1, rate, rate, 1]
        ),
        IMAGE,
    )
    seen = windows(IMAGE, (2, 3), stride, rate, padding, -np.inf)
    expected = (seen + kernel).max(axis=(3, 4))
    np.testing.assert_allclose(answered, expected, rtol=1e-6)
