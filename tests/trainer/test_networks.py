"""The network is the one of TFaaS's MNIST example."""

from __future__ import annotations

import numpy as np
import pytest

from trainer.errors import DataError
from trainer.networks import NETWORKS, check_image_shape

pytestmark = pytest.mark.tensorflow


def test_layers_and_parameters_are_the_documented_ones(tensorflow: None) -> None:
    model = NETWORKS["cnn"]((28, 28, 1), 10)
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
    model = NETWORKS["cnn"]((28, 28, 1), 10)
    white = np.full((1, 28, 28, 1), 255, np.uint8)
    np.testing.assert_allclose(np.asarray(model.layers[0](white)), 1.0)


def test_smallest_image_fits(tensorflow: None) -> None:
    check_image_shape((10, 10, 3))
    assert NETWORKS["cnn"]((10, 10, 3), 2).output_shape == (None, 2)


@pytest.mark.parametrize("shape", [(9, 28, 1), (28, 9, 1)])
def test_too_small_image_is_refused(shape: tuple[int, int, int]) -> None:
    with pytest.raises(DataError, match="the network needs 10 x 10 or more"):
        check_image_shape(shape)
