"""Try every function of ``keras.activations``, at its range's ends and between."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import keras

from runtime.backends.saved_model import Signature
from tests.zoo.specimen import Specimen, signature_of

# These exported names are no activations.
APART: dict[str, str] = {
    "deserialize": "makes an activation from its configuration",
    "get": "finds an activation by its name",
    "serialize": "gives an activation's configuration",
}
# Sigmoids are flat at these ends, and exponents of float32 are still finite.
RANGE = (-30.0, 30.0)
SHAPE = (5, 6)

# An activation is called in more than one way if it has options besides the numbers.
VARIANTS: dict[str, tuple[Mapping[str, Any], ...]] = {
    "celu": ({}, {"alpha": 0.3}),
    "elu": ({}, {"alpha": 0.3}),
    "gelu": ({}, {"approximate": True}),
    "glu": ({}, {"axis": 1}),
    "hard_shrink": ({}, {"threshold": 2.0}),
    "leaky_relu": ({}, {"negative_slope": 0.05}),
    "log_softmax": ({}, {"axis": 1}),
    "relu": ({}, {"negative_slope": 0.1, "max_value": 4.0, "threshold": 0.5}),
    "soft_shrink": ({}, {"threshold": 2.0}),
    "softmax": ({}, {"axis": 1}),
    "sparsemax": ({}, {"axis": 1}),
    "squareplus": ({}, {"b": 1.0}),
    "threshold": ({"threshold": 1.0, "default_value": -2.0},),
}


def names() -> list[str]:
    """Return the names in ``keras.activations`` that are activations."""
    exported = {name for name in dir(keras.activations) if not name.startswith("_")}
    return sorted(exported - set(APART))


class _Activated(keras.Layer):
    def __init__(self, function: Callable[..., Any], arguments: Mapping[str, Any]):
        super().__init__()
        self._function = function
        self._arguments = dict(arguments)

    def call(self, x):
        return self._function(x, **self._arguments)


def specimens() -> list[Specimen]:
    """Return one model for each call of an activation."""
    return [
        _specimen(name, arguments)
        for name in names()
        for arguments in VARIANTS.get(name, ({},))
    ]


def _specimen(name: str, arguments: Mapping[str, Any]) -> Specimen:
    function = getattr(keras.activations, name)
    shape = (6, 6) if "axis" in arguments else SHAPE

    def make() -> Signature:
        x = keras.Input(shape, name="x0")
        return signature_of(keras.Model([x], _Activated(function, arguments)(x)))

    told = " ".join(f"{key}={value}" for key, value in arguments.items())
    full = f"keras.activations.{name} {told}".strip()
    return Specimen(full, "activations", make, {"x0": RANGE})
