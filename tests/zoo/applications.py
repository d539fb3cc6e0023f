"""Build every architecture of keras.applications, at the smallest size that it takes.

The weights are random, because only the conversion is proved. ``settle`` adjusts them,
so that a picture comes through two hundred layers, and the scores differ.
"""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
from keras import applications, layers

from exporter.proof.parity import BATCH_SIZES
from runtime.backends.saved_model import Signature
from tests.zoo.specimen import Specimen, enliven, signature_of

# The architectures ask for a side of at least 32; Xception and the Inceptions ask for
# more.
_SIDES = (32, 71, 75)
# The normalizations take their statistics from this many pictures. With only 4
# pictures, a deep layer of one pixel has four numbers, some of them nearly equal, and
# the logits of MobileNetV3Small spread by 286 instead of 2.
_CALIBRATION = 32
# These are the mean and the deviation of the normalizations' beta. Around 0, a ReLU
# stops half of its input, and each layer magnifies the rounding of the layer before: a
# change of a pixel by one part in 10**7 moved ResNet50's logits by 1e-3. With this
# shift it moves them by 7e-5.
_SHIFT = (0.5, 0.2)
# This is the spread of the scores before the softmax: they are neither all alike nor
# one 1 and 999 zeros.
_SPREAD = 2.0
# These architectures' preprocess_input leaves pixels as they are: the preprocessing is
# in the model, or their means are subtracted outside of it.
_RAW = ("ConvNeXt", "EfficientNet", "MobileNetV3", "VGG", "ResNet")
# TensorFlow's grouped convolutions need seconds for a picture, and a minute for 32.
_SLOW = "ConvNeXt"
_PIXELS, _UNIT = (0.0, 255.0), (-1.0, 1.0)


def specimens() -> list[Specimen]:
    """Return one model for each architecture that the package exports."""
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
    """Return the architecture at the first side that it accepts."""
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

    Batch normalizations take the statistics of their inputs, as training would leave
    them. The last layer is scaled by the spread of its scores.

    Args:
        model: a model that ends in a layer with a kernel, or in its activation.
        pixels: the least and the greatest pixel of its pictures.
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
        # Values that these pictures leave nearly constant would become huge on another
        # picture.
        variance = np.asarray(layer.moving_variance)
        layer.moving_variance.assign(np.maximum(variance, 0.1 * variance.mean()))


def _call(model: keras.Model, images: np.ndarray, *, training: bool) -> Any:
    # Some architectures were built with a list of one input, and Keras warns if the
    # structure differs.
    taken = keras.tree.map_structure(lambda _: images, model.input)
    return model(taken, training=training)
