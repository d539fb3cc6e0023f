"""A small residual network, for small colour images."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from trainer.data import DataSet
from trainer.networks.channels import MOMENTUM, channels

if TYPE_CHECKING:
    import keras


def build_resnet_small(data: DataSet, width: float = 1.0) -> keras.Model:
    """Build three stages of two residual blocks, with 32, 64 and 128 channels.

    The network takes raw pixels from 0 to 255; the scaling is one of its layers.

    Args:
        data: the images, of 4 x 4 pixels or more, and their classes.
        width: the factor of the numbers of channels.

    Returns:
        The model; 698,858 parameters for ``(32, 32, 3)`` and 10 classes.

    Source: He et al., "Deep Residual Learning for Image Recognition" (2015), section
    4.2, with twice its channels and two blocks in each stage.
    """
    import keras
    from keras import layers

    def convolve(x: Any, count: int, stride: int = 1, size: int = 3) -> Any:
        x = layers.Conv2D(
            channels(count, width), size, stride, padding="same", use_bias=False
        )(x)
        return layers.BatchNormalization(momentum=MOMENTUM)(x)

    def block(x: Any, count: int, stride: int) -> Any:
        inner = layers.Activation("relu")(convolve(x, count, stride))
        inner = convolve(inner, count)
        if stride > 1:
            x = convolve(x, count, stride, size=1)
        return layers.Activation("relu")(layers.Add()([x, inner]))

    inputs = keras.Input(shape=data.image_shape, name="input_1")
    x = layers.Activation("relu")(convolve(layers.Rescaling(1 / 255)(inputs), 32))
    for count, stride in ((32, 1), (64, 2), (128, 2)):
        x = block(block(x, count, stride), count, 1)
    x = layers.GlobalAveragePooling2D()(x)
    outputs = layers.Dense(len(data.labels), activation="softmax")(x)
    return keras.Model(inputs, outputs)
