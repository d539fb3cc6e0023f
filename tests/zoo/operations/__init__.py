"""``keras.ops``: every function of numbers, each in a layer of its own."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras

from tests.zoo.operations import (
    algebra,
    control,
    elementwise,
    images,
    neural,
    orders,
    reductions,
    shapes,
    signals,
)
from tests.zoo.operations.recipe import Recipe
from tests.zoo.specimen import Specimen

# Exported names that no layer can be made of.
APART: dict[str, str] = {
    "convert_to_numpy": "leaves the graph: NumPy has no tensors of it",
    "dtype": "gives a name, no numbers",
    "is_tensor": "gives a Python bool, no numbers",
    "bartlett": "Keras 3.15 takes no size in a graph of TensorFlow: it compares it",
    "corrcoef": "Keras 3.15 cannot trace it with TensorFlow: it compares a rank",
    "isin": "Keras 3.15 cannot trace it with TensorFlow: it compares a size",
    "kron": "Keras 3.15 cannot trace it with TensorFlow: it counts with a rank",
    "nanmedian": "Keras 3.15 cannot trace it with TensorFlow: as nanquantile",
    "nanpercentile": "Keras 3.15 cannot trace it with TensorFlow: as nanquantile",
    "nanquantile": "Keras 3.15 cannot trace it with TensorFlow: a shape is a tensor",
    "vectorize": "Keras 3.15 has it not with TensorFlow, and says so",
}

RECIPES: dict[str, list[Recipe]] = {
    **algebra.RECIPES,
    **control.RECIPES,
    **elementwise.RECIPES,
    **neural.RECIPES,
    **orders.RECIPES,
    **reductions.RECIPES,
    **shapes.RECIPES,
    **signals.RECIPES,
    **{f"image.{name}": recipes for name, recipes in images.RECIPES.items()},
}


def functions() -> dict[str, Callable[..., Any]]:
    """What ``keras.ops`` exports, by name; ``image.resize`` of its namespace.

    ``linalg``, ``nn`` and ``numpy`` name the same functions once more.
    """
    found = dict(_of(keras.ops))
    known = set(map(id, found.values()))
    for space in ("image", "linalg", "nn", "numpy"):
        for name, function in _of(getattr(keras.ops, space)).items():
            if id(function) not in known:
                found[f"{space}.{name}"] = function
    return found


def _of(namespace: Any) -> dict[str, Callable[..., Any]]:
    names = (name for name in dir(namespace) if not name.startswith("_"))
    return {n: getattr(namespace, n) for n in names if callable(getattr(namespace, n))}


def specimens() -> list[Specimen]:
    """One model and more of every function."""
    return [
        recipe.specimen(f"keras.ops.{name}", function)
        for name, function in functions().items()
        if name not in APART
        for recipe in RECIPES.get(name, [])
    ]
