"""Networks by their names: their layers, not yet trained."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from trainer.errors import DataError

if TYPE_CHECKING:
    import keras

# Two convolutions and two poolings need 10 pixels: 10 -> 8 -> 4 -> 2 -> 1.
MIN_SIZE = 10


def check_image_shape(shape: tuple[int, int, int]) -> None:
    """Check that images are large enough for the network, without TensorFlow.

    Args:
        shape: ``(H, W, C)`` of one image.

    Raises:
        DataError: the images are too small.
    """
    height, width, _ = shape
    if min(height, width) < MIN_SIZE:
        raise DataError(
            f"the images are {height} x {width} pixels and the network needs"
            f" {MIN_SIZE} x {MIN_SIZE} or more; give larger ones"
        )


def build_cnn(image_shape: tuple[int, int, int], num_classes: int) -> keras.Sequential:
    """Build the convolutional network of TFaaS's MNIST example.

    The network takes raw pixels from 0 to 255. The scaling is one of its layers, so
    that every server gives the same answers.

    Args:
        image_shape: ``(H, W, C)`` of one image.
        num_classes: the number of scores; the model gives ``(N, num_classes)`` float32.

    Returns:
        The compiled model; 34,826 parameters for ``(28, 28, 1)`` and 10 classes.

    Source: https://github.com/vkuznet/TFaaS, doc/MNIST.md.
    """
    import keras
    from keras import layers

    model = keras.Sequential(
        [
            keras.Input(shape=image_shape, name="input_1"),
            layers.Rescaling(1 / 255),
            layers.Conv2D(32, kernel_size=(3, 3), activation="relu"),
            layers.MaxPooling2D(pool_size=(2, 2)),
            layers.Conv2D(64, kernel_size=(3, 3), activation="relu"),
            layers.MaxPooling2D(pool_size=(2, 2)),
            layers.Flatten(),
            layers.Dropout(0.5),
            layers.Dense(num_classes, activation="softmax"),
        ]
    )
    model.compile(
        loss="categorical_crossentropy", optimizer="adam", metrics=["accuracy"]
    )
    return model


NETWORKS: dict[str, Callable[[tuple[int, int, int], int], keras.Sequential]] = {
    "cnn": build_cnn,
}
