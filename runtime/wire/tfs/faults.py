"""The sentence with which TensorFlow Serving refuses values that do not fit.

It walks through the values one by one, which takes long, and so these functions are
called for values that have been refused already. They find the first fault in
TensorFlow Serving's own order.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from runtime.backends import TensorSpec
from runtime.errors import InvalidInput
from runtime.wire.shape import MAX_AXES
from runtime.wire.tfs.base64_object import text_of
from runtime.wire.tfs.columns import Specs, is_named
from runtime.wire.tfs.datatypes import word_of
from runtime.wire.tfs.text import kind_of, shown

# The status of an error stands before its sentence inside another error.
_STATUS = "INVALID_ARGUMENT: "
_NAME = 128


def find_in_rows(instances: list[Any], specs: Specs) -> None:
    """Raise the sentence for instances that do not fit; return if none says it.

    Args:
        instances: one value for each item; at least one.
        specs: the model's inputs.

    Raises:
        InvalidInput: the sentence.
    """
    first = instances[0]
    if not isinstance(first, dict) and len(specs) > 1:
        raise InvalidInput(
            "instances is a plain list, but expecting list of objects as multiple"
            " input tensors required as per tensorinfo_map"
        )
    by_name = {spec.name: spec for spec in specs}
    has_names = is_named(first)
    shapes: dict[str, tuple[int, ...]] = {}
    for number, item in enumerate(instances):
        if has_names and not is_named(item):
            raise InvalidInput(
                f"Expecting object but got list at item {number} of input list"
            )
        if not has_names and is_named(item):
            raise InvalidInput(
                f"Expecting value/list but got object at item {number} of input list"
            )
        values = item if has_names else {specs[0].name: item}
        for name, value in values.items():
            try:
                if name not in by_name:
                    raise InvalidInput(
                        "JSON object: does not have named input: " + name[:_NAME]
                    )
                shape = _check_tensor(value, by_name[name])
                _check_alike(shapes.setdefault(name, shape), shape)
            except InvalidInput as ex:
                key = f" key: {name[:_NAME]}" if has_names else ""
                raise InvalidInput(
                    f"Failed to process element: {number}{key} of 'instances' list."
                    f" Error: {_STATUS}{ex}"
                ) from ex
        if values.keys() != by_name.keys():
            raise InvalidInput(
                f"Failed to process element: {number} of 'instances' list. JSON object:"
                f" {shown(item)} keys must be equal to: {','.join(sorted(by_name))}"
            )


def find_in_columns(inputs: object, specs: Specs) -> None:
    """Raise the sentence for inputs that do not fit; return if none says it.

    Args:
        inputs: the one input's value, or an object of values by the inputs' names.
        specs: the model's inputs.

    Raises:
        InvalidInput: the sentence.
    """
    if isinstance(inputs, dict) and is_named(inputs):
        for spec in specs:
            if spec.name not in inputs:
                raise InvalidInput(
                    f"Missing named input: {spec.name} in 'inputs' object."
                )
            _check_tensor(inputs[spec.name], spec)
        return
    if len(specs) > 1:
        raise InvalidInput(
            "inputs is a plain value/list, but expecting an object as multiple input"
            " tensors required as per tensorinfo_map"
        )
    _check_tensor(inputs, specs[0])


def _check_alike(first: tuple[int, ...], shape: tuple[int, ...]) -> None:
    if math.prod(first) != math.prod(shape):
        raise InvalidInput(
            f"Expecting tensor size: {math.prod(first)} but got: {math.prod(shape)}"
        )
    if first != shape:
        raise InvalidInput(f"Expecting shape {_of(first)} but got: {_of(shape)}")


def _of(shape: tuple[int, ...]) -> str:
    return f"[{','.join(map(str, shape))}]"


def _check_tensor(value: object, spec: TensorSpec) -> tuple[int, ...]:
    """Check a value against the shape of its first elements, and return the shape."""
    sides: list[int] = []
    first = value
    while isinstance(first, list):
        sides.append(len(first))
        if len(sides) > MAX_AXES or not first:
            break
        first = first[0]
    if len(sides) <= MAX_AXES:  # deeper lists are refused in another sentence
        _check_level(value, 0, sides, spec.dtype)
    return tuple(sides)


def _check_level(
    value: object, level: int, sides: list[int], dtype: np.dtype[Any]
) -> None:
    if not isinstance(value, list):
        if level != len(sides):
            raise InvalidInput(
                f"JSON Value: {shown(value)} found at incorrect level: {level + 1} in"
                f" the JSON DOM. Expected at level: {len(sides)}"
            )
        _check_value(value, dtype)
        return
    if level >= len(sides):
        raise InvalidInput(
            f"Encountered list at unexpected level: {level} expected < {len(sides)}"
        )
    if len(value) != sides[level]:
        raise InvalidInput(
            f"Encountered list at unexpected size: {len(value)} at level: {level}"
            f" expected size: {sides[level]}"
        )
    for inner in value:
        _check_level(inner, level + 1, sides, dtype)


def _check_value(value: object, dtype: np.dtype[Any]) -> None:
    """Check one value; the shortest sentence is the one for a wrong kind."""
    word = word_of(dtype)
    match dtype.kind:
        case "O":
            fits = isinstance(text_of(value), str)
        case "b":
            fits = isinstance(value, bool)
        case "f":
            fits = type(value) in (int, float)
            if fits and _is_beyond(value, dtype):
                raise InvalidInput(
                    f"Cannot convert JSON value: {shown(value)} to {word} without loss"
                    " of precision."
                )
        case "i" | "u":
            limits = np.iinfo(dtype)
            fits = type(value) is int and limits.min <= value <= limits.max
        case _:
            raise InvalidInput(
                f"Conversion of JSON Value: {shown(value)} to type: {word}"
            )
    if not fits:
        raise InvalidInput(
            f"JSON Value: {shown(value)} Type: {kind_of(value)} is not of expected"
            f" type: {word}"
        )


def _is_beyond(value: Any, dtype: np.dtype[Any]) -> bool:
    return math.isfinite(value) and abs(value) > float(np.finfo(dtype).max)
