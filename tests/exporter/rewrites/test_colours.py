"""Expected values come from Python's colorsys."""

import colorsys

import numpy as np
import pytest

from tests.exporter.rewrites.converted import converted

pytestmark = pytest.mark.tensorflow

# Grey, black and white have no hue. The next colours lie in one sector each, and the
# last ones are random.
COLOURS = np.array(
    [
        *([0.5] * 3, [0, 0, 0], [1, 1, 1], [1, 0, 0], [0, 1, 0], [0, 0, 1]),
        *([1, 1, 0], [0, 1, 1], [1, 0, 1], [0.2, 0.7, 0.4], [0.9, 0.1, 0.3]),
    ],
    np.float32,
)


def each(function, rows):
    return np.array([function(*map(float, row)) for row in rows], np.float32)


def test_colours_become_hues_and_come_back(tf):
    hues, back = converted(
        lambda x: (tf.image.rgb_to_hsv(x), tf.image.hsv_to_rgb(x)), COLOURS
    )
    np.testing.assert_allclose(hues, each(colorsys.rgb_to_hsv, COLOURS), atol=1e-6)
    np.testing.assert_allclose(back, each(colorsys.hsv_to_rgb, COLOURS), atol=1e-6)


def test_saturation_of_black_is_black(tf):
    (answered,) = converted(
        lambda x: tf.image.adjust_saturation(x[tf.newaxis], 0.5)[0], COLOURS
    )
    hues = each(colorsys.rgb_to_hsv, COLOURS) * [1, 0.5, 1]
    np.testing.assert_allclose(answered, each(colorsys.hsv_to_rgb, hues), atol=1e-6)
