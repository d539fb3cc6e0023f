"""Put the weights of a Keras 2 file into the variables of the model that was built.

Keras 2 wrote lists without the names by which Keras 3 knows each number. So everything
is checked: each variable gets its numbers once, and no number of the file is left.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import h5py
import keras
from numpy.typing import NDArray

from exporter.keras2.errors import Untranslatable
from exporter.keras2.former import TimeMajor
from exporter.keras2.model import Built

# Keras 2 kept these beside the weights, for training.
_FOR_TRAINING = re.compile(
    r"(renorm_mean|(renorm|moving)_stddev)|count|iterations?|seed_generator_state"
)
# If both Keras versions have one of these names, the names must be the same.
_NAMES = frozenset(
    [
        "kernel",
        "bias",
        "gamma",
        "beta",
        "moving_mean",
        "moving_variance",
        "pointwise_kernel",
        "recurrent_kernel",
        "embeddings",
        "alpha",
        "mean",
        "variance",
        "scale",
    ]
)


class Filler:
    """Fills the variables of a model.

    Args:
        built: the model.
    """

    def __init__(self, built: Built) -> None:
        self._built = built
        self._filled: set[int] = set()

    def from_h5(self, group: Any) -> None:
        """Read ``model_weights``, which holds a list for each layer of the model.

        Raises:
            Untranslatable: the numbers do not fit the model.
        """
        for name, _, layer in self._built.layers[id(self._built.model)]:
            if layer is None or not layer.weights:
                continue
            if name not in group:
                raise Untranslatable(f"it has no weights for its layer {name[:64]!r}")
            found = group[name]
            arrays = [
                (text, found.get(text))
                for text in map(_text, found.attrs.get("weight_names", []))
                if not _FOR_TRAINING.fullmatch(_last(text))
            ]
            self._fill(name, self._in_order(layer), arrays)
        self._check()

    def from_keras(self, root: Any) -> None:
        """Read ``model.weights.h5`` of a ``.keras`` file, with a group for each object.

        Raises:
            Untranslatable: the numbers do not fit the model.
        """
        self._fill_group(self._built.model, root, "the model")
        self._check()

    def _check(self) -> None:
        for variable in self._built.model.weights:
            if id(variable) not in self._filled and not _is_training(variable):
                raise Untranslatable(f"it has no weights for {variable.path[:96]!r}")
        for layer in self._built.model._flatten_layers():
            if isinstance(layer, keras.layers.Normalization):
                layer.finalize_state()  # it computes numbers from its weights

    def _fill(
        self,
        name: str,
        variables: Sequence[Any],
        arrays: Sequence[tuple[str, Any]],
    ) -> None:
        if len(variables) != len(arrays):
            raise Untranslatable(
                f"its layer {name[:64]!r} has {len(arrays)} weights, where Keras 3 has"
                f" {len(variables)}"
            )
        for variable, (text, array) in zip(variables, arrays, strict=True):
            if not isinstance(array, h5py.Dataset) or array.shape is None:
                raise Untranslatable(f"weights of its layer {name[:64]!r} are missing")
            named = {_last(text), variable.name}
            if len(named) == 2 and named <= _NAMES:
                raise Untranslatable(
                    f"the weights of its layer {name[:64]!r} come in another order"
                )
            # LayerNormalization over several axes has a shape of one axis in one
            # version, and of two in the other.
            if math.prod(variable.shape) != math.prod(array.shape):
                raise Untranslatable(
                    f"a weight of its layer {name[:64]!r} has the shape"
                    f" {array.shape}, where Keras 3 has {tuple(variable.shape)}"
                )
            variable.assign(_numbers(array).reshape(variable.shape))
            self._filled.add(id(variable))

    def _in_order(self, layer: Any) -> list[Any]:
        """The variables in the order of Keras 2: the trained ones, then the others."""
        ordered = [*self._trained(layer, True), *self._trained(layer, False)]
        return list({id(v): v for v in ordered if not _is_training(v)}.values())

    def _trained(self, layer: Any, wanted: bool) -> Iterator[Any]:
        own = layer._trainable_variables, layer._non_trainable_variables
        children = self._children(layer)
        if id(layer) in self._built.layers:
            for child in children:
                yield from self._trained(child, wanted)
        elif layer.trainable:
            yield from own[0] if wanted else own[1]
            for child in children:
                yield from self._trained(child, wanted)
        elif not wanted:
            yield from (*own[0], *own[1])
            for child in children:
                yield from self._trained(child, True)
                yield from self._trained(child, False)

    def _children(self, layer: Any) -> list[Any]:
        if (entries := self._built.layers.get(id(layer))) is not None:
            return [child for _, _, child in entries if child is not None]
        if isinstance(layer, keras.layers.Bidirectional):
            return [layer.forward_layer, layer.backward_layer]
        return list(layer._layers)

    def _fill_group(self, layer: Any, group: Any, name: str) -> None:
        if isinstance(layer, TimeMajor):
            layer = layer.layer
        own = group.get("vars")
        arrays = [own.get(key) for key in sorted(own, key=int)] if own else []
        variables = [
            variable
            for variable in (
                *layer._trainable_variables,
                *layer._non_trainable_variables,
            )
            if not _is_training(variable)
        ]
        if isinstance(
            layer, keras.layers.BatchNormalization | keras.layers.Normalization
        ):
            # The arrays that _FOR_TRAINING names come after the variables.
            arrays = arrays[: len(variables)]
        if arrays or (variables and id(layer) not in self._built.layers):
            self._fill(name, variables, [("", array) for array in arrays])
        for key, child in group.items():
            if key == "vars" or not _datasets(child):
                continue
            if key in ("layers", "_layer_checkpoint_dependencies") and (
                id(layer) in self._built.layers
            ):
                entries = self._built.layers[id(layer)]
                named = [
                    (kind, inner) for _, kind, inner in entries if inner is not None
                ]
                self._fill_each(named, child)
            elif key == "cells":
                cells = layer.cells
                self._fill_each([(type(cell).__name__, cell) for cell in cells], child)
            else:
                self._fill_group(_attribute(layer, key, name), child, f"{name} {key}")

    def _fill_each(self, layers: Sequence[tuple[str, Any]], group: Any) -> None:
        """Fill the layers of a list; the file names them by class and number.

        The versions of Keras 2 count differently, so only the order of the numbers
        counts.
        """
        for kind in dict.fromkeys(kind for kind, _ in layers):
            base = _snake(kind)
            pattern = re.compile(rf"{re.escape(base)}(?:_(\d+))?")
            keys = [key for key in group if pattern.fullmatch(key)]
            keys = [key for key in keys if _datasets(group[key])]
            keys.sort(key=lambda key: int(pattern.fullmatch(key)[1] or 0))  # type: ignore[index]
            of_kind = [layer for other, layer in layers if other == kind]
            with_weights = [layer for layer in of_kind if self._has_weights(layer)]
            if len(keys) != len(with_weights):
                raise Untranslatable(
                    f"it has weights for {len(keys)} layers {kind}, and"
                    f" {len(with_weights)} of them have any in Keras 3"
                )
            for key, layer in zip(keys, with_weights, strict=True):
                self._fill_group(layer, group[key], layer.name)

    def _has_weights(self, layer: Any) -> bool:
        return any(not _is_training(variable) for variable in layer.weights)


def _numbers(dataset: Any) -> NDArray[Any]:
    """The numbers of a dataset, which must lie in this file.

    HDF5 lets a file name another file of the reader's machine, and take the bytes from
    there.
    """
    is_plain = not dataset.external and not dataset.is_virtual
    if not is_plain or dataset.dtype.kind not in "biuf":
        raise Untranslatable("some of its weights are no plain numbers of this file")
    numbers: NDArray[Any] = dataset[()]
    return numbers


def _attribute(layer: Any, key: str, name: str) -> Any:
    """Get an attribute that Keras 3 names with or without an underscore."""
    for other in (key, key.lstrip("_"), f"_{key}"):
        found = getattr(layer, other, None)
        if isinstance(found, keras.layers.Layer):
            return found
    raise Untranslatable(f"Keras 3 has no {key[:64]!r} in {name[:64]!r}")


def _datasets(group: Any) -> bool:
    return not isinstance(group, Mapping) or any(_datasets(group[key]) for key in group)


def _is_training(variable: Any) -> bool:
    return _FOR_TRAINING.fullmatch(variable.name) is not None


def _snake(kind: str) -> str:
    name = re.sub(r"\W+", "", kind)
    name = re.sub("(.)([A-Z][a-z]+)", r"\1_\2", name)
    return re.sub("([a-z])([A-Z])", r"\1_\2", name).lower()


def _text(value: Any) -> str:
    return value.decode() if isinstance(value, bytes) else str(value)


def _last(name: str) -> str:
    return name.rpartition("/")[2].partition(":")[0]
