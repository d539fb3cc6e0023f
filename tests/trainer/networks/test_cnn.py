"""The network ``cnn`` is the one of TFaaS's MNIST example."""

from __future__ import annotations

import numpy as np
import pytest

from tests.trainer.examples import blank_images
from trainer.networks import NETWORKS

pytestmark = pytest.mark.tensorflow


def test_layers_and_parameters_are_the_documented_ones(tensorflow: None) -> None:
    model = NETWORKS["cnn"](blank_images((28, 28, 1), 10), 1.0)
    # The summary is printed in https://github.com/vkuznet/TFaaS, doc/MNIST.md. This
    # project adds the Rescaling.
    assert [(type(layer).__name__, layer.count_params()) for layer in model.layers] == [
        ("Rescaling", 0),
        ("Conv2D", 320),
        ("MaxPooling2D", 0),
        ("Conv2D", 18496),
        ("MaxPooling2D", 0),
        ("Flatten", 0),
        ("Dropout", 0),
        ("Dense", 16010),
    ]
    assert model.count_params() == 34826
    assert [tensor.name for tensor in model.inputs] == ["input_1"]


def test_scaling_is_a_layer(tensorflow: None) -> None:
    model = NETWORKS["cnn"](blank_images((28, 28, 1), 10), 1.0)
    white = np.full((1, 28, 28, 1), 255, np.uint8)
    np.testing.assert_allclose(np.asarray(model.layers[0](white)), 1.0)
