"""Every architecture of keras.applications, at the smallest size that it takes.

Weights are drawn, for what is proved is the conversion; ``settle`` sees that they let a
picture through two hundred layers to scores that differ.
"""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
from keras import applications, layers

from exporter.proof.parity import BATCH_SIZES
from runtime.backends.saved_model import Signature
from tests.zoo.specimen import Specimen, enliven, signature_of

# What the architectures ask for at least: 32, but for Xception and the Inceptions.
_SIDES = (32, 71, 75)
# Pictures whose statistics the normalizations take. Of 4, a deep layer of one pixel has
# four numbers, some of them all but alike, and the logits of MobileNetV3Small spread
# by 286 in place of 2.
_CALIBRATION = 32
# Mean and deviation of the normalizations' beta. Around 0, where a ReLU stops half of
# what comes, each layer magnifies the rounding of the one before: one part in 10**7 of
# a pixel moved ResNet50's logits by 1e-3; so it moves them by 7e-5.
_SHIFT = (0.5, 0.2)
# Of the scores before the softmax: neither all alike, nor one 1 and 999 zeros.
_SPREAD = 2.0
# Architectures whose preprocess_input leaves pixels as they are: it is in the model, or
# their means are taken away outside of it.
_RAW = ("ConvNeXt", "EfficientNet", "MobileNetV3", "VGG", "ResNet")
# TensorFlow's grouped convolutions take it seconds a picture: of 32, a minute.
_SLOW = "ConvNeXt"
_PIXELS, _UNIT = (0.0, 255.0), (-1.0, 1.0)


def specimens() -> list[Specimen]:
    """One an architecture: what the package exports and can be called."""
    return [
        Specimen(
            f"keras.applications.{name}",
            "applications",
            _maker(name),
            {"image": _range_of(name)},
            batch_sizes=(1, 2) if name.startswith(_SLOW) else BATCH_SIZES,
        )
        for name in sorted(dir(applications))
        if name[0].isupper()
    ]


def _range_of(name: str) -> tuple[float, float]:
    is_raw = name.startswith(_RAW) and not name.endswith("V2")
    return _PIXELS if is_raw else _UNIT


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
    """Let activations stay near one, rounding stay rounding, and scores differ.

    Batch normalizations take the statistics of what comes to them, as training would
    leave them; the last layer is scaled by what it gives.

    Args:
        model: ends in a layer with a kernel, or in one and its activation.
        pixels: between which its pictures are drawn.
    """
    side = model.inputs[0].shape[1]
    generator = np.random.default_rng(3)
    images = generator.uniform(*pixels, (_CALIBRATION, side, side, 3))
    images = images.astype(np.float32)
    _normalize(model, images, generator)
    last = [layer for layer in model.layers if hasattr(layer, "kernel")][-1]
    scores = keras.Model(model.input, last.output)
    activation, last.activation = last.activation, keras.activations.linear
    spread = float(np.std(np.asarray(_call(scores, images, training=False))))
    last.activation = activation
    last.kernel.assign(last.kernel * (_SPREAD / spread))


def _normalize(
    model: keras.Model, images: np.ndarray, generator: np.random.Generator
) -> None:
    normalizations = [
        layer for layer in model.layers if isinstance(layer, layers.BatchNormalization)
    ]
    if not normalizations:
        return
    momenta = [layer.momentum for layer in normalizations]
    for layer in normalizations:
        layer.momentum = 0.0
        layer.beta.assign(generator.normal(*_SHIFT, layer.beta.shape))
    _call(model, images, training=True)
    for layer, momentum in zip(normalizations, momenta, strict=True):
        layer.momentum = momentum
        # What these pictures leave all but constant would blow up on another.
        variance = np.asarray(layer.moving_variance)
        layer.moving_variance.assign(np.maximum(variance, 0.1 * variance.mean()))


def _call(model: keras.Model, images: np.ndarray, *, training: bool) -> Any:
    # Some architectures were built with a list of one input, and Keras warns of others.
    taken = keras.tree.map_structure(lambda _: images, model.input)
    return model(taken, training=training)
