"""Expected values are sums done by hand, and TensorFlow's own kernel."""

import numpy as np
import pytest

from tests.exporter.rewrites.converted import converted

pytestmark = pytest.mark.tensorflow

X = np.random.default_rng(0).uniform(-2, 2, (5, 4)).astype(np.float32)


def test_two_bits_know_four_numbers(tf):
    """The side from -2 to 0 has more steps and sets the scale: 1, and not 0.5."""
    x = np.array([-3, -1.2, -0.4, 0.3, 0.7, 3], np.float32)
    (answered,) = converted(
        lambda x: tf.raw_ops.QuantizeAndDequantizeV3(
            input=x, input_min=-2.0, input_max=1.0, num_bits=2, range_given=True
        ),
        x,
    )
    assert answered.tolist() == [-2, -1, 0, 0, 1, 1]


@pytest.mark.parametrize("mode", ["HALF_TO_EVEN", "HALF_UP"])
def test_halves_are_rounded_as_they_say(tf, mode):
    x = np.array([-1.5, -0.5, 0.5, 1.5, 2.5], np.float32)
    (answered,) = converted(
        lambda x: tf.quantization.quantize_and_dequantize_v2(
            x, -128.0, 127.0, range_given=True, round_mode=mode
        ),
        x,
    )
    expected = {"HALF_TO_EVEN": [-2, 0, 0, 2, 2], "HALF_UP": [-1, 0, 1, 2, 3]}
    assert answered.tolist() == expected[mode]


@pytest.mark.parametrize(
    "how",
    [
        {"range_given": True},
        {"range_given": False},
        {"range_given": True, "num_bits": 4, "narrow_range": True},
        {"range_given": True, "signed_input": False},
    ],
    ids=str,
)
def test_it_rounds_as_tensorflow(tf, how):
    def run(x):
        return tf.quantization.quantize_and_dequantize_v2(x, -1.0, 1.5, **how)

    (answered,) = converted(run, X)
    np.testing.assert_allclose(answered, run(X), rtol=1e-6, atol=1e-6)


def test_each_channel_has_its_range(tf):
    """The range is measured: TensorFlow's CPU kernel takes no range per channel."""
    unused = np.zeros(4, np.float32)

    def run(x):
        return tf.raw_ops.QuantizeAndDequantizeV2(
            input=x,
            input_min=unused,
            input_max=unused,
            range_given=False,
            axis=1,
        )

    (answered,) = converted(run, X)
    np.testing.assert_allclose(answered, run(X), rtol=1e-6, atol=1e-6)
