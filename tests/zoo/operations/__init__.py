"""Try every function of ``keras.ops`` on numbers, each in a layer of its own."""

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

# No layer can be made of these exported names.
APART: dict[str, str] = {
    "convert_to_numpy": "leaves the graph: NumPy has no tensors of it",
    "dtype": "gives a name, no numbers",
    "is_tensor": "gives a Python bool, no numbers",
}

# Keras 3.15 itself cannot trace these functions with TensorFlow, so there is nothing to
# convert.
UNTRACED: dict[str, str] = {
    "bartlett": "compares its size in Python, which is a tensor in a graph",
    "corrcoef": "compares a rank in Python",
    "isin": "compares a size in Python",
    "kron": "counts with a rank in Python",
    "nanmedian": "as nanquantile",
    "nanpercentile": "as nanquantile",
    "nanquantile": "makes a shape of a tensor",
    "vectorize": "has it not with TensorFlow, and says so",
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
    """Return ``keras.ops``'s functions by name; ``image.resize`` is of a namespace.

    ``linalg``, ``nn`` and ``numpy`` name the same functions again.
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
    """Return one or more models for every function."""
    return [
        specimen
        for name, function in functions().items()
        if name not in APART and name not in UNTRACED
        for specimen in _made(name, function)
    ]


def untraced() -> list[Specimen]:
    """Return the first model of each function that Keras cannot trace."""
    return [_made(name, functions()[name])[0] for name in UNTRACED]


def _made(name: str, function: Callable[..., Any]) -> list[Specimen]:
    return [
        recipe.specimen(f"keras.ops.{name}", function)
        for recipe in RECIPES.get(name, [])
    ]
