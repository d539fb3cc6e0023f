"""The convolutional network of TFaaS's MNIST example."""

from __future__ import annotations

from typing import TYPE_CHECKING

from trainer.data import DataSet
from trainer.networks.channels import channels

if TYPE_CHECKING:
    import keras


def build_cnn(data: DataSet, width: float = 1.0) -> keras.Model:
    """Build the convolutional network of TFaaS's MNIST example.

    The network takes raw pixels from 0 to 255. The scaling is one of its layers, so
    that every server gives the same answers.

    Args:
        data: the images, of 10 x 10 pixels or more, and their classes.
        width: the factor of the numbers of channels.

    Returns:
        The model; 34,826 parameters for ``(28, 28, 1)`` and 10 classes.

    Source: https://github.com/vkuznet/TFaaS, doc/MNIST.md.
    """
    import keras
    from keras import layers

    return keras.Sequential(
        [
            keras.Input(shape=data.image_shape, name="input_1"),
            layers.Rescaling(1 / 255),
            layers.Conv2D(channels(32, width), kernel_size=(3, 3), activation="relu"),
            layers.MaxPooling2D(pool_size=(2, 2)),
            layers.Conv2D(channels(64, width), kernel_size=(3, 3), activation="relu"),
            layers.MaxPooling2D(pool_size=(2, 2)),
            layers.Flatten(),
            layers.Dropout(0.5),
            layers.Dense(len(data.labels), activation="softmax"),
        ]
    )
