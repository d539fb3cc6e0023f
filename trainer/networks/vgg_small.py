"""A plain convolutional network with batch normalization, for small gray images."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from trainer.data import DataSet
from trainer.networks.channels import MOMENTUM, channels

if TYPE_CHECKING:
    import keras


def build_vgg_small(data: DataSet, width: float = 1.0) -> keras.Model:
    """Build four convolutions of 3 x 3 with two poolings, as in VGG.

    The network takes raw pixels from 0 to 255; the scaling is one of its layers.

    Args:
        data: the images, of 4 x 4 pixels or more, and their classes.
        width: the factor of the numbers of channels.

    Returns:
        The model; 193,194 parameters for ``(28, 28, 1)`` and 10 classes.
    """
    import keras
    from keras import layers

    def convolve(x: Any, count: int) -> Any:
        # The normalization has an offset of its own.
        x = layers.Conv2D(channels(count, width), 3, padding="same", use_bias=False)(x)
        return layers.Activation("relu")(
            layers.BatchNormalization(momentum=MOMENTUM)(x)
        )

    inputs = keras.Input(shape=data.image_shape, name="input_1")
    x = convolve(layers.Rescaling(1 / 255)(inputs), 32)
    x = layers.MaxPooling2D()(x)
    x = convolve(convolve(x, 64), 64)
    x = layers.MaxPooling2D()(x)
    x = layers.Flatten()(convolve(x, 128))
    outputs = layers.Dense(len(data.labels), activation="softmax")(x)
    return keras.Model(inputs, outputs)
