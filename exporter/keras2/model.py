"""Turn the graph of a Keras 2 model into a model of Keras 3, still without weights."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import keras

from exporter.keras2.errors import Untranslatable
from exporter.keras2.layers import (
    STOOD_FOR,
    Item,
    class_name_of,
    dtype_of,
    layer_of,
    plain_name,
)
from exporter.keras2.operators import Operator, Slot, function_of, index

_OPERATORS = ("TFOpLambda", "SlicingOpLambda")
_MODELS = ("Model", "Functional", "Sequential")
# If this stands in the place of a layer's name, a number follows.
_CONSTANT = "_CONSTANT_VALUE"


@dataclass
class Built:
    """A model of Keras 3 that was built from the description of Keras 2.

    Attributes:
        model: the model without its weights.
        layers: by each model's ``id``, the names, classes and layers in the order of
            Keras 2.
    """

    model: Any = None
    layers: dict[int, list[tuple[str, str, Any]]] = field(default_factory=dict)


def build(item: Item) -> Built:
    """Build a model.

    Args:
        item: ``class_name`` and ``config``.

    Raises:
        Untranslatable: Keras 3 cannot express it.
    """
    built = Built()
    built.model = _build(item, built)
    if not getattr(built.model, "inputs", None):
        raise Untranslatable("it does not tell the shape of its input")
    return built


def _build(item: Item, built: Built) -> Any:
    kind, config = class_name_of(item), item.get("config")
    if kind not in _MODELS:
        raise Untranslatable(f"{kind[:64]!r} is a model that is written in Python")
    if isinstance(config, list):
        config = {"layers": config}
    if not isinstance(config, dict) or not isinstance(config.get("layers"), list):
        raise Untranslatable("its description is damaged")
    if kind == "Sequential" and "input_layers" not in config:
        return _sequential(config, built)
    return _Graph(config, built).model()


def _sequential(config: Mapping[str, Any], built: Built) -> Any:
    entries: list[tuple[str, str, Any]] = []
    for item in config["layers"]:
        kind = class_name_of(item)
        if kind == "InputLayer":
            layer = _input(item["config"])
            layer = layer._keras_history.operation
        else:
            layer = layer_of(item, lambda inner: _build(inner, built))
        name = str((item.get("config") or {}).get("name", ""))
        entries.append((name, kind, layer))
    layers = [layer for _, _, layer in entries]
    has_input = layers and isinstance(layers[0], keras.layers.InputLayer)
    taken = None if has_input or not layers else _first_input(config, layers[0])
    if taken is not None:
        layers.insert(0, taken)
    names: set[str] = set()
    for layer in layers:
        if hasattr(layer, "name"):
            layer.name = _unused(layer.name, names)
    model = keras.Sequential(layers, name=_name(config))
    built.layers[id(model)] = entries
    return model


def _first_input(config: Mapping[str, Any], layer: Any) -> Any:
    """The input of a Sequential without InputLayer; None if nothing tells its shape."""
    first = config["layers"][0].get("config")
    if isinstance(first, dict) and "batch_input_shape" in first:
        dtype = first.get("input_dtype") or dtype_of(first.get("dtype"))
        given = {**first, "dtype": dtype, "name": f"{first.get('name', 'layer')}_input"}
        return _input(given)
    if getattr(layer, "inputs", None):
        (taken,) = layer.inputs
        return keras.Input(batch_shape=taken.shape, dtype=taken.dtype)
    if config.get("build_input_shape"):
        return _input({"batch_input_shape": config["build_input_shape"]})
    return None


def _input(config: Mapping[str, Any]) -> Any:
    if config.get("sparse") or config.get("ragged"):
        raise Untranslatable("it takes sparse or ragged tensors")
    shape = config.get("batch_input_shape", config.get("batch_shape"))
    if not isinstance(shape, list | tuple):
        raise Untranslatable("it does not tell the shape of its input")
    name = config.get("name")
    return keras.Input(
        batch_shape=tuple(shape),
        dtype=dtype_of(config.get("dtype")) or "float32",
        name=plain_name(name) if isinstance(name, str) else None,
    )


def _name(config: Mapping[str, Any]) -> str | None:
    name = config.get("name")
    return plain_name(name) if isinstance(name, str) else None


def _unused(name: str, names: set[str]) -> str:
    """A name that no other layer of the model has."""
    unused, count = name, 0
    while unused in names:
        count += 1
        unused = f"{name}_{count}"
    names.add(unused)
    return unused


def _unwrapped(value: Any) -> Any:
    """The tensor of a list of one: Keras 2 wrote lists also for single tensors."""
    return value[0] if isinstance(value, list) and len(value) == 1 else value


class _Graph:
    """Calls each layer as soon as its inputs exist.

    Args:
        config: the config of a ``Functional``.
        built: takes the models' layers.
    """

    def __init__(self, config: Mapping[str, Any], built: Built) -> None:
        self._config = config
        self._built = built
        self._items: dict[str, Item] = {}
        self._layers: dict[str, Any] = {}
        self._entries: list[tuple[str, str, Any]] = []
        # The flat outputs of each call of each layer.
        self._made: dict[str, list[list[Any]]] = {}
        names: set[str] = set()
        for item in config["layers"]:
            kind = class_name_of(item)
            name = str(item.get("name") or item["config"]["name"])
            self._items[name] = item
            self._made[name] = []
            plain = _unused(plain_name(name), names)
            if kind == "InputLayer":
                tensor = _input({**item["config"], "name": plain})
                self._made[name].append([tensor])
                layer = tensor._keras_history.operation
            elif kind in _OPERATORS:
                layer = None
            else:
                layer = layer_of(item, lambda inner: _build(inner, built), plain)
                # Two layers of one name may be nested models that had different names
                # before.
                layer.name = plain
            self._layers[name] = layer
            self._entries.append((name, kind, layer))
        self._first = self._first_calls()

    def model(self) -> Any:
        """Call all layers, and make the model."""
        waiting = [
            (name, node)
            for name, item in self._items.items()
            for node in item.get("inbound_nodes") or []
        ]
        while waiting:
            left: list[tuple[str, Any]] = []
            for name, node in waiting:
                # The calls of one layer are counted, so they keep their order.
                is_held = any(name == other for other, _ in left)
                if is_held or not self._is_ready(node):
                    left.append((name, node))
                else:
                    self._call(name, node)
            if len(left) == len(waiting):
                raise Untranslatable(
                    f"its layer {left[0][0][:64]!r} takes a tensor that no layer gives"
                )
            waiting = left
        model = keras.Model(
            _unwrapped(self._ends(self._config["input_layers"])),
            _unwrapped(self._ends(self._config["output_layers"])),
            name=_name(self._config),
        )
        self._built.layers[id(model)] = self._entries
        return model

    def _first_calls(self) -> dict[str, int]:
        """The number of each layer's first call; for a nested model it is often 1."""
        least: dict[str, int] = {}
        places = [self._config["input_layers"], self._config["output_layers"]]
        places += [item.get("inbound_nodes") or [] for item in self._items.values()]
        for name, number, _ in self._references(places):
            least[name] = min(least.get(name, number), number)
        return {
            name: number if class_name_of(self._items[name]) in _MODELS else 0
            for name, number in least.items()
        }

    def _references(self, value: Any) -> Iterator[tuple[str, int, int]]:
        if self._is_tensor(value):
            yield value[0], value[1], value[2]
            value = value[3:]
        if isinstance(value, list | tuple):
            for part in value:
                yield from self._references(part)
        elif isinstance(value, dict):
            for part in value.values():
                yield from self._references(part)

    def _is_tensor(self, value: Any) -> bool:
        return (
            isinstance(value, list)
            and len(value) in (3, 4)
            and isinstance(value[0], str)
            and value[0] in self._items
            and type(value[1]) is int
            and type(value[2]) is int
        )

    def _is_ready(self, node: Any) -> bool:
        return all(
            number - self._first[name] < len(self._made[name])
            for name, number, _ in self._references(node)
        )

    def _tensor(self, reference: list[Any]) -> Any:
        name, number, place = reference[:3]
        try:
            return self._made[name][number - self._first[name]][place]
        except (IndexError, KeyError) as ex:
            raise Untranslatable(
                f"its layer {name[:64]!r} does not give what another layer takes"
            ) from ex

    def _ends(self, value: Any) -> Any:
        """The tensors of ``input_layers`` or ``output_layers``, in their structure."""
        if self._is_tensor(value):
            return self._tensor(value)
        if isinstance(value, dict):
            return {key: self._ends(part) for key, part in value.items()}
        if isinstance(value, list):
            return [self._ends(part) for part in value]
        raise Untranslatable("its description is damaged")

    def _call(self, name: str, node: Any) -> None:
        kwargs: dict[str, Any] = {}
        taken = self._argument(node, kwargs)
        kind = class_name_of(self._items[name])
        if kind in _OPERATORS:
            outputs = self._operate(name, kind, taken, kwargs)
        else:
            outputs = self._apply(kind, self._layers[name], name, taken, kwargs)
        self._made[name].append(keras.tree.flatten(outputs))

    def _argument(self, node: Any, kwargs: dict[str, Any]) -> Any:
        """The first argument of a call; the other arguments go into ``kwargs``."""
        is_constant = isinstance(node, list) and node[:1] == [_CONSTANT]
        if is_constant or self._is_tensor(node):
            if len(node) > 3 and isinstance(node[3], dict):
                kwargs.update({k: self._other(v) for k, v in node[3].items()})
            return node[2] if is_constant else self._tensor(node)
        if isinstance(node, dict):
            return {key: self._argument(part, kwargs) for key, part in node.items()}
        if isinstance(node, list):
            return [self._argument(part, kwargs) for part in node]
        return node

    def _other(self, value: Any) -> Any:
        if self._is_tensor(value):
            return self._tensor(value)
        if isinstance(value, list):
            return [self._other(part) for part in value]
        if isinstance(value, dict):
            return {key: self._other(part) for key, part in value.items()}
        return value

    def _apply(
        self, kind: str, layer: Any, name: str, taken: Any, kwargs: dict[str, Any]
    ) -> Any:
        given = {key: value for key, value in kwargs.items() if value is not None}
        if kind in STOOD_FOR:
            if kind.startswith("Random") and given.get("training"):
                raise Untranslatable(f"its layer {name[:64]!r} always draws numbers")
            given = {}
        taken = _unwrapped(taken)
        is_recurrent = kind in ("RNN", "SimpleRNN", "GRU", "LSTM", "Bidirectional")
        if (is_recurrent or kind.startswith("ConvLSTM")) and isinstance(taken, list):
            taken, *states = taken
            given["initial_state"] = states if len(states) > 1 else states[0]
        if (self._items[name].get("config") or {}).get("causal"):
            given["use_causal_mask"] = True
        try:
            return layer(taken, **given)
        except (TypeError, ValueError) as ex:
            reason = str(ex).strip().splitlines()[0][:160] if str(ex).strip() else ""
            raise Untranslatable(
                f"Keras 3 cannot call its layer {name[:64]!r}: {reason}"
            ) from ex

    def _operate(self, name: str, kind: str, taken: Any, kwargs: dict[str, Any]) -> Any:
        function = (
            index
            if kind == "SlicingOpLambda"
            else function_of(str(self._items[name]["config"].get("function")))
        )
        tensors: list[Any] = []

        def slot(value: Any) -> Any:
            if isinstance(value, keras.KerasTensor):
                tensors.append(value)
                return Slot(len(tensors) - 1)
            if isinstance(value, list):
                return [slot(part) for part in value]
            if isinstance(value, dict):
                return {key: slot(part) for key, part in value.items()}
            return value

        others = {key: slot(value) for key, value in kwargs.items() if key != "name"}
        layer = Operator(function, [slot(taken)], others, plain_name(name))
        try:
            return layer(tensors)
        except (TypeError, ValueError) as ex:
            raise Untranslatable(f"its call of {name[:64]!r} cannot be read") from ex
