"""The networks enter themselves here; a function of the network's name builds each."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import keras

from runtime.backends.saved_model import Signature
from tests.zoo.specimen import Specimen, enliven, signature_of

NETWORKS: list[Specimen] = []


def network(
    refused: str = "", /, **ranges: tuple[float, float]
) -> Callable[[Callable[[], keras.Model]], Callable[[], keras.Model]]:
    """Enter a function that builds a Keras model.

    Args:
        refused: a piece of the refusal; empty if the model converts.
        ranges: the least and the greatest number of each input, by name.
    """

    def enter(build: Callable[[], keras.Model]) -> Callable[[], keras.Model]:
        room = build.__module__.rpartition(".")[2]
        name = f"{room}.{build.__name__}"
        NETWORKS.append(Specimen(name, "networks", _maker(build), ranges, refused))
        return build

    return enter


def _maker(build: Callable[[], keras.Model]) -> Callable[[], Signature]:
    def make() -> Signature:
        keras.utils.set_random_seed(7)
        return signature_of(enliven(build()))

    return make


class Function(keras.layers.Layer):
    """A layer of TensorFlow's own operators, as people write them.

    Args:
        function: takes tensors and returns tensors.
        options: the arguments of ``keras.layers.Layer``.
    """

    def __init__(self, function: Callable[..., Any], **options: Any) -> None:
        super().__init__(**options)
        self._function = function

    def call(self, *tensors: Any) -> Any:
        """Return what the function gives."""
        return self._function(*tensors)


def of_tensors(
    function: Callable[..., Any], **inputs: Mapping[str, Any] | tuple[int | None, ...]
) -> keras.Model:
    """Return a model of one function, whose inputs have these shapes without N.

    A shape is a tuple for float32, or keras.Input's arguments for other types.
    """
    taken = [
        keras.Input(**(how if isinstance(how, Mapping) else {"shape": how}), name=name)
        for name, how in inputs.items()
    ]
    return keras.Model(taken, Function(function, name="function")(*taken))
