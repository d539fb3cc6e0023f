"""A recipe puts one function of ``keras.ops`` into a model."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from runtime.backends.saved_model import Signature
from tests.zoo.specimen import Specimen


@dataclass(frozen=True)
class Takes:
    """One input: its shape without batch axis, and its least and greatest number."""

    shape: tuple[int | None, ...]
    low: float = -2.0
    high: float = 2.0
    dtype: str = "float32"


@dataclass(frozen=True)
class Recipe:
    """A layer that uses one function.

    Attributes:
        takes: the inputs of the layer.
        body: takes the function and the layer's inputs, and returns the answer.
        note: a name apart from the function's other recipes.
        refused: a piece of the refusal; empty if the model converts.
    """

    takes: tuple[Takes, ...]
    body: Callable[..., Any]
    note: str = ""
    refused: str = ""

    def specimen(self, name: str, function: Callable[..., Any]) -> Specimen:
        """Return the model of this recipe.

        Args:
            name: the function's name, as in ``keras.ops.sum``.
            function: the function itself.
        """
        return Specimen(
            name=f"{name} {self.note}".strip(),
            family="operations",
            make=lambda: _signature(Uses(self.body, function), self.takes),
            ranges={f"x{i}": (t.low, t.high) for i, t in enumerate(self.takes)},
            refused=self.refused,
        )


def on(*takes: Takes, note: str = "", **options: Any) -> Recipe:
    """Return a recipe that calls the function with its inputs and ``options``."""
    return Recipe(takes, lambda op, *tensors: op(*tensors, **options), note)


def by(
    body: Callable[..., Any], *takes: Takes, note: str = "", refused: str = ""
) -> Recipe:
    """Return a recipe that uses the function as ``body(function, *inputs)`` does."""
    return Recipe(takes, body, note, refused)


class Uses(keras.Layer):
    def __init__(self, body: Callable[..., Any], function: Callable[..., Any]) -> None:
        super().__init__()
        self._body = body
        self._function = function

    def call(self, *tensors: Any) -> Any:
        return self._body(self._function, *tensors)


def _signature(layer: keras.Layer, takes: tuple[Takes, ...]) -> Signature:
    specs = {
        f"x{i}": tf.TensorSpec((None, *taken.shape), np.dtype(taken.dtype), f"x{i}")
        for i, taken in enumerate(takes)
    }

    def call(**given: Any) -> dict[str, Any]:
        answer = tf.nest.flatten(layer(*(given[name] for name in specs)))
        return {
            f"output_{i}": tf.convert_to_tensor(tensor)
            for i, tensor in enumerate(answer)
        }

    function = tf.function(call).get_concrete_function(**specs)
    return Signature(function, specs, function.structured_outputs)
