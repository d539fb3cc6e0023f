"""Try each class of ``keras.layers`` that takes numbers, in the ways it is used."""

from __future__ import annotations

import keras

from tests.zoo.layers import (
    attention,
    convolutions,
    features,
    images,
    plain,
    pooling,
    recurrent,
)
from tests.zoo.layers.recipe import Recipe
from tests.zoo.specimen import Specimen

# No model can be made of these exported names.
APART: dict[str, str] = {
    "FlaxLayer": "wraps a module of Flax, which needs JAX as the backend",
    "Input": "makes no layer but a model's input; every specimen begins with one",
    "InputLayer": "every specimen begins with one",
    "InputSpec": "describes what a layer takes",
    "JaxLayer": "wraps a function of JAX, which must be installed",
    "Layer": "the base class, which does nothing",
    "TorchModuleWrapper": "wraps a module of PyTorch, which must be the backend",
    "Wrapper": "the base class of TimeDistributed and Bidirectional",
    "deserialize": "makes a layer from its configuration",
    "serialize": "gives a layer's configuration",
}

RECIPES: dict[str, list[Recipe]] = {
    **plain.RECIPES,
    **convolutions.RECIPES,
    **pooling.RECIPES,
    **recurrent.RECIPES,
    **attention.RECIPES,
    **images.RECIPES,
    **features.RECIPES,
}


def names() -> dict[str, str]:
    """Return the names in ``keras.layers``, each with the name that the zoo gives it.

    ``AvgPool1D`` is another name of ``AveragePooling1D``.
    """
    exported = [name for name in dir(keras.layers) if not name.startswith("_")]
    known = {}
    for name in exported:
        own = getattr(keras.layers, name).__name__
        is_alias = own in exported and own not in APART
        known[name] = own if is_alias else name
    return known


def specimens() -> list[Specimen]:
    """Return one or more models for every layer."""
    return [
        recipe.specimen(name, getattr(keras.layers, name))
        for name in sorted(set(names().values()) - set(APART))
        for recipe in RECIPES.get(name, [])
    ]
