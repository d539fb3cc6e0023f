"""A network of Keras's own layers goes to the workers, and no other one."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from trainer.data import DataSet
from trainer.errors import ArchitectureError
from trainer.networks.build import build_network

pytestmark = pytest.mark.tensorflow


@pytest.mark.parametrize("name", ["cnn", "vgg-small", "resnet-small"])
def test_a_network_arrives_as_it_was(
    tensorflow: None, few_data: DataSet, name: str
) -> None:
    from trainer.ray.network import read_network, write_network

    model = build_network(few_data, name, 0.25)
    arrived: Any = read_network(write_network(model))
    arrived.set_weights(model.get_weights())
    images = few_data.x_test[:5]
    expected = model(images).numpy()
    np.testing.assert_array_equal(arrived(images).numpy(), expected)


def test_a_layer_of_the_users_own_is_refused(
    tensorflow: None, few_data: DataSet, tmp_path: Path
) -> None:
    from trainer.ray.network import write_network

    (tmp_path / "nets.py").write_text(_OWN)
    model = build_network(few_data, f"{tmp_path / 'nets.py'}:build_model")
    with pytest.raises(ArchitectureError, match="has a Doubled, .* --ray-workers"):
        write_network(model)


_OWN = """
import keras

class Doubled(keras.layers.Layer):
    def call(self, x):
        return x * 2

def build_model(input_shape, classes):
    return keras.Sequential([
        keras.Input(input_shape),
        Doubled(),
        keras.layers.Flatten(),
        keras.layers.Dense(classes, activation="softmax"),
    ])
"""
