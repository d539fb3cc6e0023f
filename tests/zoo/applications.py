"""Every architecture of keras.applications, at the smallest size that it takes.

Weights are drawn, for what is proved is the conversion; ``settle`` sees that they let a
picture through two hundred layers to scores that differ.
"""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
from keras import applications, layers

from runtime.backends.saved_model import Signature
from tests.zoo.specimen import Specimen, enliven, signature_of

# What the architectures ask for at least: 32, but for Xception and the Inceptions.
_SIDES = (32, 71, 75)
# Pictures whose statistics the normalizations take.
_CALIBRATION = 4
# Of the scores before the softmax: neither all alike, nor one 1 and 999 zeros.
_SPREAD = 2.0
# Architectures whose preprocess_input leaves pixels as they are: it is in the model, or
# their means are taken away outside of it.
_RAW = ("ConvNeXt", "EfficientNet", "MobileNetV3", "RegNet", "VGG", "ResNet")
_PIXELS, _UNIT = (0.0, 255.0), (-1.0, 1.0)


def specimens() -> list[Specimen]:
    """One an architecture: what the package exports and can be called."""
    return [
        Specimen(
            f"keras.applications.{name}",
            "applications",
            _maker(name),
            {"image": _range_of(name)},
        )
        for name in sorted(dir(applications))
        if name[0].isupper()
    ]


def _range_of(name: str) -> tuple[float, float]:
    is_raw = (name.startswith(_RAW) and not name.endswith("V2")) or "NetV2" in name
    return _PIXELS if is_raw and not name.startswith("MobileNetV2") else _UNIT


def _maker(name: str) -> Any:
    def make() -> Signature:
        keras.utils.set_random_seed(7)
        model = _smallest(getattr(applications, name))
        settle(enliven(model), _range_of(name))
        return signature_of(model)

    return make


def _smallest(build: Any) -> keras.Model:
    """The architecture at the first side that it does not refuse."""
    for side in _SIDES:
        try:
            image = keras.Input((side, side, 3), name="image")
            return build(weights=None, input_tensor=image)
        except ValueError:
            if side == _SIDES[-1]:
                raise
    raise AssertionError("there is a largest side")


def settle(model: keras.Model, pixels: tuple[float, float]) -> None:
    """Let activations stay near one, and scores before the softmax differ.

    Batch normalizations take the statistics of what comes to them, as training would
    leave them; the last layer is scaled by what it gives.

    Args:
        model: ends in a dense layer, or in one before its activation.
        pixels: between which its pictures are drawn.
    """
    side = model.input.shape[1]
    generator = np.random.default_rng(3)
    images = generator.uniform(*pixels, (_CALIBRATION, side, side, 3))
    images = images.astype(np.float32)
    normalizations = [
        layer for layer in model.layers if isinstance(layer, layers.BatchNormalization)
    ]
    momenta = [layer.momentum for layer in normalizations]
    for layer in normalizations:
        layer.momentum = 0.0
    if normalizations:
        model(images, training=True)
    for layer, momentum in zip(normalizations, momenta, strict=True):
        layer.momentum = momentum
        # What a few pictures leave all but constant would blow up on another.
        variance = np.asarray(layer.moving_variance)
        layer.moving_variance.assign(np.maximum(variance, 0.1 * variance.mean()))
    last = [layer for layer in model.layers if hasattr(layer, "kernel")][-1]
    scores = keras.Model(model.input, last.output)
    activation, last.activation = last.activation, keras.activations.linear
    spread = float(np.std(np.asarray(scores(images, training=False))))
    last.activation = activation
    last.kernel.assign(last.kernel * (_SPREAD / spread))
