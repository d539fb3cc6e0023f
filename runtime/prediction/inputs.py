"""From JSON's nested lists to the arrays of a model's inputs."""

from __future__ import annotations

import itertools
import math
import struct
from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from bundle.errors import ShapeError
from runtime.backends import TensorSpec
from runtime.backends.tensors import check_inputs, check_names
from runtime.errors import InvalidInput

# numpy's own limit is 64, and no model has more than a few axes.
_MAX_AXES = 32

# Up to this number no two whole numbers are the same float64. A greater one that JSON
# wrote with a point or an exponent may stand for its neighbour, as 2**53 does.
MAX_WHOLE_FLOAT = 2**53 - 1

_KINDS: dict[type, str] = {
    bool: "true or false",
    dict: "an object",
    float: "a number",
    int: "a number",
    str: "a text",
    type(None): "null",
}


_NULL = type(None)


class Nested(NamedTuple):
    """Nested lists that have one length at each depth.

    Attributes:
        shape: the lengths, outermost first; empty if the value was no list.
        flat: the values of the innermost lists, in order.
        kinds: the types of these values.
    """

    shape: tuple[int, ...]
    flat: list[Any]
    kinds: set[type]


def flatten(what: str, value: object) -> Nested:
    """Take nested lists apart.

    Args:
        what: the name of the value in an error.
        value: a value that ``orjson.loads`` gave.

    Raises:
        ShapeError: lists of one depth have different lengths.
    """
    shape: list[int] = []
    level: list[Any] = [value]
    if isinstance(value, list):
        shape, level = [len(value)], value
    while level and isinstance(level[0], list):
        # A loop in Python takes longer than these two.
        if (
            set(map(type, level)) != {list}
            or len(set(map(len, level))) > 1
            or len(shape) == _MAX_AXES
        ):
            break
        shape.append(len(level[0]))
        level = (
            level[0] if len(level) == 1 else list(itertools.chain.from_iterable(level))
        )
    kinds = set(map(type, level))
    if list in kinds:
        problem = (
            f"is nested more than {_MAX_AXES} deep"
            if len(shape) == _MAX_AXES
            else f"is ragged: its lists at depth {len(shape) + 1} have different"
            " lengths"
        )
        raise ShapeError(f"{what} {problem}")
    return Nested(tuple(shape), level, kinds)


def to_array(
    what: str,
    nested: Nested,
    dtype: np.dtype[Any],
    *,
    takes_infinity: bool = False,
    takes_missing: bool = False,
) -> NDArray[Any]:
    """Make an array of a model's dtype; no value is rounded, wrapped or replaced by 0.

    Args:
        what: the name of the value in an error.
        nested: numbers, or other values that the dtype holds.
        dtype: numpy's dtype; ``object`` for texts.
        takes_infinity: whether floats may be NaN and infinity. A finite number beyond
            the dtype is refused in any case.
        takes_missing: whether null stands for a missing value: NaN of a float, and the
            empty text. Floats may be NaN then, too.

    Returns:
        An array of the nested lists' shape and of this dtype.

    Raises:
        InvalidInput: a value is of another kind, or beyond the dtype.
    """
    if takes_missing and _NULL in nested.kinds:
        nested = _without_null(what, nested, dtype)
    if dtype.kind in "fiu":
        _check_kinds(what, nested.kinds, {int, float}, "numbers")
        array = (
            _floats(what, nested, dtype, takes_infinity, takes_missing)
            if dtype.kind == "f"
            else _whole_numbers(what, nested, dtype)
        )
    else:
        wanted, name = (bool, "booleans") if dtype.kind == "b" else (str, "texts")
        _check_kinds(what, nested.kinds, {wanted}, name)
        array = np.array(nested.flat, dtype)
    return array.reshape(nested.shape)


def to_inputs(
    specs: tuple[TensorSpec, ...], inputs: Mapping[str, object]
) -> dict[str, NDArray[Any]]:
    """Make the arrays of all of a model's inputs.

    Args:
        specs: the model's inputs.
        inputs: nested lists by the inputs' names, each with its batch axis.

    Returns:
        An array of each input's shape and dtype, by the input's name.

    Raises:
        ShapeError: an input is missing, unknown, ragged, or of another shape.
        InvalidInput: an input holds a value that its dtype cannot hold.
    """
    check_names(specs, inputs)
    arrays = {}
    for spec in specs:
        what = f"input {spec.name!r}"
        nested = flatten(what, inputs[spec.name])
        arrays[spec.name] = to_array(what, nested, spec.dtype)
    check_inputs(specs, arrays)
    return arrays


def _check_kinds(what: str, found: set[type], wanted: set[type], name: str) -> None:
    if not found <= wanted:
        other = min(_KINDS[kind] for kind in found - wanted)
        raise InvalidInput(f"{what} must hold {name}, and holds {other}")


def _without_null(what: str, nested: Nested, dtype: np.dtype[Any]) -> Nested:
    """Put the missing value of a dtype in the place of each null."""
    missing: Any = {"f": math.nan, "O": ""}.get(dtype.kind)
    if missing is None:
        raise InvalidInput(
            f"{what} holds null, which stands for a missing number or text, and the"
            f" model's {dtype} has none"
        )
    flat = [missing if value is None else value for value in nested.flat]
    return Nested(nested.shape, flat, nested.kinds - {_NULL} | {type(missing)})


def _floats(
    what: str,
    nested: Nested,
    dtype: np.dtype[Any],
    takes_infinity: bool,
    takes_missing: bool,
) -> NDArray[Any]:
    try:
        array = _packed(nested.flat, dtype)
    except _BEYOND:  # float16 alone; a number beyond float32 becomes infinity
        fits = False
    else:
        fits = bool(np.isfinite(array).all())
        if takes_infinity and not fits:
            fits = np.array_equal(
                np.isfinite(array), list(map(math.isfinite, nested.flat))
            )
        elif takes_missing and not fits:
            fits = not np.isinf(array).any()
    if not fits:
        raise InvalidInput(
            f"{what} holds NaN, infinity or a number too large for the model's {dtype}"
        )
    return array


def _whole_numbers(what: str, nested: Nested, dtype: np.dtype[Any]) -> NDArray[Any]:
    flat = nested.flat
    if float in nested.kinds:
        if not all(
            type(v) is int or (v.is_integer() and abs(v) <= MAX_WHOLE_FLOAT)
            for v in flat
        ):
            raise InvalidInput(
                f"{what} must hold whole numbers: the model takes {dtype}"
            )
        flat = list(map(int, flat))
    try:
        return _packed(flat, dtype)
    except _BEYOND:
        limits = np.iinfo(dtype)
        raise InvalidInput(
            f"{what} holds a number beyond the model's {dtype}, {limits.min} to"
            f" {limits.max}"
        ) from None


# struct raises these for floats and integers that a dtype cannot hold.
_BEYOND = (OverflowError, struct.error)


def _packed(flat: list[Any], dtype: np.dtype[Any]) -> NDArray[Any]:
    """Make an array ``(n,)`` of a float's or an integer's dtype.

    ``np.array`` takes three times as long for a list of floats. The letters of these
    dtypes mean the same to struct.

    Raises:
        OverflowError, struct.error: a number is beyond the dtype.
    """
    array = np.empty(len(flat), dtype)
    struct.pack_into(f"{len(flat)}{dtype.char}", array.data, 0, *flat)
    return array
