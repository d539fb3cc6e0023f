"""MobileNet of Keras's own list, for larger images."""

from __future__ import annotations

from typing import TYPE_CHECKING

from trainer.data import DataSet
from trainer.networks.channels import MOMENTUM

if TYPE_CHECKING:
    import keras


def build_mobilenet(data: DataSet, width: float = 1.0) -> keras.Model:
    """Build MobileNet with weights by chance; weights of others are not fetched.

    The network takes raw pixels from 0 to 255; the scaling is one of its layers.

    Args:
        data: the images, of 32 x 32 pixels or more, and their classes.
        width: the factor of the numbers of channels.

    Returns:
        The model; 3,239,114 parameters for three channels and 10 classes.

    Source: https://keras.io/api/applications/mobilenet/
    """
    import keras
    from keras import layers

    inputs = keras.Input(shape=data.image_shape, name="input_1")
    inner = keras.applications.MobileNet(
        input_tensor=layers.Rescaling(1 / 127.5, offset=-1)(inputs),
        alpha=width,
        weights=None,
        classes=len(data.labels),
    )
    for layer in inner.layers:
        if isinstance(layer, layers.BatchNormalization):
            layer.momentum = MOMENTUM
    # Keras's own model takes a list of one tensor.
    return keras.Model(inputs, inner.output)
