"""A recipe makes one small model of one layer class."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import keras

from runtime.backends.saved_model import Signature
from tests.zoo.specimen import Specimen, enliven, signature_of

Shape = tuple[int | None, ...]
# The function takes the layer and the model's inputs, and returns its outputs.
Call = Callable[..., Any]


@dataclass(frozen=True)
class Takes:
    """One input of a model.

    Attributes:
        shape: the shape without the batch axis.
        dtype: the type's name in Keras.
        low: the least number that is drawn.
        high: the greatest number that is drawn.
        batch: the number of rows, if it is fixed.
    """

    shape: Shape
    dtype: str = "float32"
    low: float = -2.0
    high: float = 2.0
    batch: int | None = None


@dataclass(frozen=True)
class Recipe:
    """A model of one layer.

    Attributes:
        variant: a name apart from the class's other recipes; empty for the first.
        takes: the model's inputs.
        arguments: the arguments of the layer's constructor, or a function that makes
            them with the model, if they are layers.
        call: calls the layer; None passes the inputs, as a list if there are several.
        refused: see ``Specimen``.
    """

    variant: str
    takes: tuple[Takes, ...]
    arguments: Mapping[str, Any] | Callable[[], Mapping[str, Any]]
    call: Call | None = None
    refused: str = ""

    def specimen(self, name: str, make_layer: Callable[..., Any]) -> Specimen:
        """Return the model of a layer class, with the class's exported name."""

        def make() -> Signature:
            return self._make(make_layer)

        ranges = {
            f"x{i}": (taken.low, taken.high) for i, taken in enumerate(self.takes)
        }
        full = f"keras.layers.{name}" + (f" {self.variant}" if self.variant else "")
        return Specimen(full, "layers", make, ranges, self.refused)

    def _make(self, make_layer: Callable[..., Any]) -> Signature:
        given = self.arguments() if callable(self.arguments) else self.arguments
        # ``keras.layers.add`` makes its layer itself, so ``call`` uses it.
        is_class = isinstance(make_layer, type)
        layer = make_layer(**given) if is_class else None
        inputs = [
            keras.Input(taken.shape, taken.batch, taken.dtype, name=f"x{i}")
            for i, taken in enumerate(self.takes)
        ]
        if self.call is not None:
            outputs = self.call(layer, *inputs)
        else:
            outputs = layer(inputs if len(inputs) > 1 else inputs[0])
        return signature_of(enliven(keras.Model(inputs, outputs)))


@dataclass(frozen=True)
class On:
    """A maker of recipes that take the same inputs.

    Attributes:
        takes: the inputs.
        call: see ``Recipe``.
    """

    takes: tuple[Takes, ...]
    call: Call | None = None
    refused: str = ""
    always: Mapping[str, Any] = field(default_factory=dict)

    def __call__(self, variant: str = "", **arguments: Any) -> Recipe:
        """Return a recipe with these arguments of the constructor."""
        return Recipe(
            variant, self.takes, {**self.always, **arguments}, self.call, self.refused
        )

    def lazily(
        self, variant: str, arguments: Callable[[], Mapping[str, Any]]
    ) -> Recipe:
        """Return a recipe whose arguments are layers."""
        return Recipe(variant, self.takes, arguments, self.call, self.refused)


def on(*shapes: Shape, call: Call | None = None, **always: Any) -> On:
    """Return recipes on float32 inputs of these shapes."""
    return On(tuple(Takes(shape) for shape in shapes), call, "", always)


def on_integers(*shapes: Shape, high: int, low: int = 0, **more: Any) -> On:
    """Return recipes on int32 inputs, ``low`` to ``high`` inclusive."""
    return On(tuple(Takes(shape, "int32", low, high) for shape in shapes), **more)
