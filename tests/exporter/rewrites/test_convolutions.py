"""Expected values come from TensorFlow's own kernels, or from sums done by NumPy."""

import numpy as np
import pytest

from tests.exporter.rewrites.converted import converted

pytestmark = pytest.mark.tensorflow


def drawn(*shape):
    return np.random.default_rng(0).standard_normal(shape).astype(np.float32)


@pytest.mark.parametrize(
    ("kernel", "stride", "padding", "wanted"),
    [
        (3, 1, "VALID", 7),
        (3, 2, "VALID", 11),
        (3, 2, "VALID", 12),  # output_padding
        (2, 3, "VALID", 15),  # The stride is longer than the kernel.
        (3, 2, "SAME", 9),
        (3, 2, "SAME", 10),
        (4, 2, "SAME", 10),
        (2, 3, "SAME", 15),
        (1, 2, "SAME", 10),
    ],
)
@pytest.mark.parametrize("dims", [2, 3])
def test_a_transposed_convolution(tf, dims, kernel, stride, padding, wanted):
    weights, x = drawn(*[kernel] * dims, 3, 4), drawn(2, *[5] * dims, 4)
    function = tf.nn.conv2d_transpose if dims == 2 else tf.nn.conv3d_transpose

    def spread(x):
        sizes = tf.stack([tf.shape(x)[0], *[wanted] * dims, 3])
        return function(x, weights, sizes, stride, padding)

    (found,) = converted(spread, x)
    np.testing.assert_allclose(found, spread(tf.constant(x)), rtol=1e-4, atol=1e-5)


def test_a_transposed_convolution_with_channels_first(tf):
    weights, x = drawn(3, 3, 3, 4), drawn(2, 4, 5, 6)

    def spread(x, layout):
        sizes = [10, 12, 3] if layout == "NHWC" else [3, 10, 12]
        return tf.nn.conv2d_transpose(
            x, weights, tf.stack([tf.shape(x)[0], *sizes]), 2, "SAME", layout
        )

    (found,) = converted(lambda x: spread(x, "NCHW"), x)
    # Without oneDNN the CPU computes with channels last alone.
    last = spread(tf.constant(x.transpose(0, 2, 3, 1)), "NHWC").numpy()
    np.testing.assert_allclose(found, last.transpose(0, 3, 1, 2), rtol=1e-4, atol=1e-5)


def test_a_convolution_of_volumes_in_groups(tf):
    weights, x = drawn(2, 2, 2, 2, 6), drawn(2, 4, 4, 4, 4)
    (found,) = converted(lambda x: tf.nn.conv3d(x, weights, [1] * 5, "VALID"), x)
    halves = [
        tf.nn.conv3d(x[..., 2 * g : 2 * g + 2], weights[..., 3 * g : 3 * g + 3],
                     [1] * 5, "VALID")
        for g in range(2)
    ]  # fmt: skip
    expected = np.concatenate(halves, axis=-1)
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5)


def test_a_bias_along_the_last_axis_of_channels_first(tf):
    weights, bias, x = drawn(3, 3, 2, 5), drawn(5), drawn(2, 6, 7, 2)
    last = tf.nn.conv2d(x, weights, 1, "VALID").numpy()  # (2, 4, 5, 5)

    def biased(x):
        return tf.nn.bias_add(tf.nn.conv2d(x, weights, 1, "VALID", "NCHW"), bias)

    (found,) = converted(biased, x.transpose(0, 3, 1, 2))
    expected = last.transpose(0, 3, 1, 2) + bias
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("layout", ["NHWC", "NCHW"])
def test_a_bias_of_the_channels_stays_one(tf, layout):
    """tf2onnx puts it into the convolution, in both layouts."""
    weights, bias, x = drawn(3, 3, 2, 5), drawn(5), drawn(2, 6, 7, 2)
    last = tf.nn.conv2d(x, weights, 1, "VALID").numpy() + bias
    is_last = layout == "NHWC"

    def biased(x):
        made = tf.nn.conv2d(x, weights, 1, "VALID", layout)
        return tf.nn.bias_add(tf.identity(made), bias, layout)

    (found,) = converted(biased, x if is_last else x.transpose(0, 3, 1, 2))
    expected = last if is_last else last.transpose(0, 3, 1, 2)
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5)


def test_a_bias_of_the_channels_and_one_of_the_last_axis(tf):
    weights, bias, x = drawn(3, 3, 2, 5), drawn(5), drawn(2, 6, 7, 2)
    last = tf.nn.conv2d(x, weights, 1, "VALID").numpy() + bias

    def biased(x):
        made = tf.nn.conv2d(x, weights, 1, "VALID", "NCHW")
        return tf.nn.bias_add(tf.nn.bias_add(made, bias, "NCHW"), bias)

    (found,) = converted(biased, x.transpose(0, 3, 1, 2))
    expected = last.transpose(0, 3, 1, 2) + bias
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5)


def test_a_bias_of_what_is_no_convolution(tf):
    x, bias = drawn(2, 4), drawn(4)
    (found,) = converted(lambda x: tf.nn.bias_add(tf.abs(x), bias), x)
    np.testing.assert_allclose(found, np.abs(x) + bias, rtol=1e-6)


@pytest.mark.parametrize(
    ("kernel", "stride", "padding", "padded"),
    [
        (3, 2, "valid", None),
        (3, 2, "same", 1),
        (2, 3, "valid", None),  # The stride is longer than the kernel.
    ],
)
@pytest.mark.parametrize("layout", ["channels_last", "channels_first"])
def test_a_transposed_convolution_of_any_sides(
    tf, layout, kernel, stride, padding, padded
):
    """The sides are known only when the model runs, not when it is converted."""
    import keras

    weights, bias, x = drawn(kernel, kernel, 3, 4), drawn(3), drawn(2, 5, 6, 4)

    def layer(layout):
        made = keras.layers.Conv2DTranspose(
            3, kernel, stride, padding, padded, data_format=layout
        )
        sides = [None, None]
        made.build(
            [None, *sides, 4] if layout == "channels_last" else [None, 4, *sides]
        )
        made.set_weights([weights, bias])
        return made

    # Without oneDNN the CPU computes with channels last alone.
    expected = np.asarray(layer("channels_last")(x))
    if layout == "channels_first":
        x, expected = x.transpose(0, 3, 1, 2), expected.transpose(0, 3, 1, 2)
        free = (0, 2, 3)
    else:
        free = (0, 1, 2)
    (found,) = converted(layer(layout), x, free=free)
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("layout", ["NDHWC", "NCDHW"])
def test_groups_are_found_in_both_layouts(tf, layout):
    weights, x = drawn(2, 2, 2, 2, 6), drawn(2, 4, 5, 3, 4)
    is_last = layout == "NDHWC"
    halves = [
        tf.nn.conv3d(x[..., 2 * g : 2 * g + 2], weights[..., 3 * g : 3 * g + 3],
                     [1] * 5, "SAME")
        for g in range(2)
    ]  # fmt: skip
    expected = np.concatenate(halves, axis=-1)
    first = (0, 4, 1, 2, 3)
    (found,) = converted(
        lambda x: tf.nn.conv3d(x, weights, [1] * 5, "SAME", layout),
        x if is_last else x.transpose(first),
    )
    if not is_last:
        expected = expected.transpose(first)
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5)
