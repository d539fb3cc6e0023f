"""From rows, TFaaS's keys and values, to the inputs of a model.

A model with one input of numbers takes a row as its columns. A model whose inputs are
named as the keys takes each value by its name; some of them may be texts.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from runtime.backends import TensorSpec
from runtime.errors import InvalidInput
from runtime.models.fitness import check_width, takes_named_values, takes_rows
from runtime.prediction.inputs import Nested, flatten, to_array

# The kinds of values that an input of each kind of numpy's dtypes takes, to find the
# first other one.
_TAKEN: dict[str, frozenset[type]] = {
    "f": frozenset({int, float, type(None)}),
    "i": frozenset({int, float}),
    "u": frozenset({int, float}),
    "b": frozenset({bool}),
    "O": frozenset({str, type(None)}),
}


# An error names this many features at most; a table may have thousands.
_NAMED = 50


class Rows(NamedTuple):
    """The rows that a client sent.

    Attributes:
        keys: the names of a row's values, in their order; empty if it sent none.
        values: the lists: ``(F,)`` for one row, or ``(N, F)``.
    """

    keys: tuple[str, ...]
    values: Nested

    @property
    def is_one(self) -> bool:
        """Whether the client sent one row, and not a list of rows."""
        return len(self.values.shape) == 1

    @property
    def has_missing(self) -> bool:
        """Whether a value is null."""
        return type(None) in self.values.kinds


def read_rows(keys: object, values: object) -> Rows:
    """Check keys and values that come from JSON.

    Args:
        keys: a list of texts; an empty list or null if there are no keys.
        values: a list of numbers and texts, or a list of such lists.

    Raises:
        InvalidInput: they are something else.
        ShapeError: rows have different lengths.
    """
    if keys is None:  # Go writes an empty list as null
        keys = []
    if not isinstance(keys, list) or not set(map(type, keys)) <= {str}:
        raise InvalidInput("'keys' must be a list of texts")
    nested = flatten("'values'", values)
    if len(nested.shape) not in (1, 2):
        raise InvalidInput("'values' must be a list of numbers, or a list of such rows")
    if 0 in nested.shape:
        raise InvalidInput("'values' is empty")
    return Rows(tuple(keys), nested)


def to_row_input(
    rows: Rows, specs: tuple[TensorSpec, ...], features: tuple[str, ...]
) -> dict[str, NDArray[Any]]:
    """Make a model's inputs of rows.

    Args:
        rows: N rows of F values each.
        specs: the model's inputs.
        features: the names of a row's values in the model's order; each must be among
            the keys. Empty if params.json names none; then the row's order is taken,
            and the keys must be the names of several inputs.

    Returns:
        An array ``(N, …)`` of each input's dtype, by the input's name. The other axes
        of a single input of numbers hold F numbers. A null is a missing value, NaN or
        the empty text, if the values have names. For a model with a fixed batch, N may
        be another number.

    Raises:
        InvalidInput: the model takes no rows, the keys do not fit, or a value is none
            that the input's dtype can hold.
        ShapeError: a row has another number of values than the model takes.
    """
    if not takes_rows(specs):
        return _to_named(rows, specs, features)
    (spec,) = specs
    width = rows.values.shape[-1]
    order = _order(rows.keys, features, width)
    check_width(spec, width)
    try:
        table = to_array("'values'", rows.values, spec.dtype)
    except InvalidInput:
        if not features:
            _tell_key(rows, spec.dtype)
            raise
        table = _with_missing(rows, spec.dtype)
    table = table.reshape(-1, width)
    if order is not None:
        table = table[:, order]
    item = [-1 if n is None else n for n in spec.shape[1:]]
    return {spec.name: table.reshape(len(table), *item)}


def _with_missing(rows: Rows, dtype: np.dtype[Any]) -> NDArray[Any]:
    """Make the array of rows of which a value is missing.

    This is apart, because most rows have all their values.
    """
    try:
        return to_array("'values'", rows.values, dtype, takes_missing=True)
    except InvalidInput:
        _tell_key(rows, dtype)
        raise


def _tell_key(rows: Rows, dtype: np.dtype[Any]) -> None:
    """Refuse the first value of a wrong kind by its key, if there are keys."""
    place = _first_wrong(rows.values.flat, dtype)
    if rows.keys and place is not None:
        row, column = divmod(place, len(rows.keys))
        what, value = _at(rows, row, rows.keys[column]), rows.values.flat[place]
        to_array(what, flatten(what, value), dtype, takes_missing=True)


def _to_named(
    rows: Rows, specs: tuple[TensorSpec, ...], features: tuple[str, ...]
) -> dict[str, NDArray[Any]]:
    """Give each input the value of its name."""
    is_named = takes_named_values(specs)
    if not is_named or not (features or rows.keys):
        raise InvalidInput(
            f"the model takes no rows of numbers: send 'inputs' with"
            f" {', '.join(repr(spec.name) for spec in specs)}, and no 'values'"
            + (", or name the values by 'keys'" if is_named else "")
        )
    by_name = {spec.name: spec for spec in specs}
    names = features or tuple(by_name)
    order = _order(rows.keys, names, rows.values.shape[-1]) or []
    arrays = {}
    for name, place in zip(names, order, strict=True):
        spec = by_name[name]
        column = _to_column(rows, place, spec)
        arrays[name] = column.reshape(len(column), *spec.shape[1:])
    return arrays


def _to_column(rows: Rows, place: int, spec: TensorSpec) -> NDArray[Any]:
    """Make an array ``(N,)`` of the values at one place of the rows.

    Raises:
        InvalidInput: a value is none that the input's dtype can hold; the sentence
            names the key, and the row if its kind is wrong.
    """
    flat = rows.values.flat[place :: len(rows.keys)]
    wrong = _first_wrong(flat, spec.dtype)
    what = _at(rows, wrong, spec.name)
    nested = flatten(what, flat if wrong is None else flat[wrong])
    return to_array(what, nested, spec.dtype, takes_missing=True)


def _first_wrong(values: list[Any], dtype: np.dtype[Any]) -> int | None:
    """Find the first value of a kind that a dtype does not hold; None without one."""
    taken = _TAKEN[dtype.kind]
    if set(map(type, values)) <= taken:  # a loop would take longer
        return None
    return next(n for n, value in enumerate(values) if type(value) not in taken)


def _at(rows: Rows, row: int | None, key: str) -> str:
    """Name a value of a row, or of all rows, in an error."""
    which = "values" if row is None or rows.is_one else f"values[{row}]"
    return f"'{which}' at the key {key[:128]!r}"


def _order(
    keys: tuple[str, ...], features: tuple[str, ...], width: int
) -> list[int] | None:
    """Return each of the model's values' place in a row; None to keep the order."""
    if keys and len(keys) != width:
        raise InvalidInput(f"there are {len(keys)} keys and {width} values in a row")
    if not features:
        return None
    places = {key: place for place, key in enumerate(keys)}
    if len(places) < len(keys):
        twice = _first(key for place, key in enumerate(keys) if places[key] != place)
        raise InvalidInput(f"the key {twice} is there twice")
    names = set(features)
    if unknown := _first(key for key in keys if key not in names):
        known = _listed(features)
        raise InvalidInput(f"the model has no feature {unknown}; it has {known}")
    if missing := _first(name for name in features if name not in places):
        known = _listed(features)
        raise InvalidInput(f"the key {missing} is missing; the model takes {known}")
    return [places[name] for name in features]


def _listed(features: tuple[str, ...]) -> str:
    others = len(features) - _NAMED
    more = f" and {others} others" if others > 0 else ""
    return ", ".join(features[:_NAMED]) + more


def _first(names: Iterable[str]) -> str:
    return next((repr(name[:128]) for name in names), "")
