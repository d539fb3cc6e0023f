"""How one small model is made of one layer class."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import keras

from runtime.backends.saved_model import Signature
from tests.zoo.specimen import Specimen, enliven, signature_of

Shape = tuple[int | None, ...]
# Takes the layer and the model's inputs, answers with its outputs.
Call = Callable[..., Any]


@dataclass(frozen=True)
class Takes:
    """One input of a model.

    Attributes:
        shape: without the batch axis.
        dtype: as Keras names it.
        low: the least number that is drawn.
        high: the greatest.
        batch: rows, where their number is fixed.
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
        variant: tells it from the class's other recipes; empty of the first.
        takes: the model's inputs.
        arguments: of the layer's constructor; a function where they are layers, which
            are to be made when the model is.
        call: calls the layer; None passes the inputs, as a list if they are several.
        refused: see ``Specimen``.
    """

    variant: str
    takes: tuple[Takes, ...]
    arguments: Mapping[str, Any] | Callable[[], Mapping[str, Any]]
    call: Call | None = None
    refused: str = ""

    def specimen(self, name: str, make_layer: Callable[..., Any]) -> Specimen:
        """The model of a layer class, named by its exported name."""

        def make() -> Signature:
            return self._make(make_layer)

        ranges = {
            f"x{i}": (taken.low, taken.high) for i, taken in enumerate(self.takes)
        }
        full = f"keras.layers.{name}" + (f" {self.variant}" if self.variant else "")
        return Specimen(full, "layers", make, ranges, self.refused)

    def _make(self, make_layer: Callable[..., Any]) -> Signature:
        given = self.arguments() if callable(self.arguments) else self.arguments
        # ``keras.layers.add`` makes its layer itself; ``call`` is what calls it.
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
    """Makes recipes that take the same inputs.

    Attributes:
        takes: the inputs.
        call: see ``Recipe``.
    """

    takes: tuple[Takes, ...]
    call: Call | None = None
    refused: str = ""
    always: Mapping[str, Any] = field(default_factory=dict)

    def __call__(self, variant: str = "", **arguments: Any) -> Recipe:
        """A recipe with these arguments of the constructor."""
        return Recipe(
            variant, self.takes, {**self.always, **arguments}, self.call, self.refused
        )

    def lazily(
        self, variant: str, arguments: Callable[[], Mapping[str, Any]]
    ) -> Recipe:
        """A recipe whose arguments are layers."""
        return Recipe(variant, self.takes, arguments, self.call, self.refused)


def on(*shapes: Shape, call: Call | None = None, **always: Any) -> On:
    """Recipes on float32 inputs of these shapes."""
    return On(tuple(Takes(shape) for shape in shapes), call, "", always)


def on_integers(*shapes: Shape, high: int, low: int = 0, **more: Any) -> On:
    """Recipes on int32 inputs, ``low`` to ``high`` inclusive."""
    return On(tuple(Takes(shape, "int32", low, high) for shape in shapes), **more)
