"""From rows of numbers, TFaaS's keys and values, to the one input of a model."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, NamedTuple

from numpy.typing import NDArray

from runtime.backends import TensorSpec
from runtime.errors import InvalidInput
from runtime.models.fitness import _check_width, takes_rows
from runtime.prediction.inputs import Nested, flatten, to_array


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


def read_rows(keys: object, values: object) -> Rows:
    """Check keys and values that come from JSON.

    Args:
        keys: a list of texts; an empty list or null if there are no keys.
        values: a list of numbers, or a list of such lists.

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
    """Make a model's input of rows.

    Args:
        rows: N rows of F values each.
        specs: the model's inputs.
        features: the names of a row's values in the model's order; each must be among
            the keys. Empty if params.json names none; then the row's order is taken.

    Returns:
        An array ``(N, …)`` of the input's dtype, by the input's name; its other axes
        hold F numbers. For a model with a fixed batch, N may be another number.

    Raises:
        InvalidInput: the model takes no rows, the keys do not fit, or a value is not a
            number that the model's dtype can hold.
        ShapeError: a row has another number of values than the model takes.
    """
    if not takes_rows(specs):
        raise InvalidInput(
            f"the model takes no rows of numbers: send 'inputs' with"
            f" {', '.join(repr(spec.name) for spec in specs)}, and no 'values'"
        )
    (spec,) = specs
    width = rows.values.shape[-1]
    order = _order(rows.keys, features, width)
    _check_width(spec, width)
    table = to_array("'values'", rows.values, spec.dtype).reshape(-1, width)
    if order is not None:
        table = table[:, order]
    item = [-1 if n is None else n for n in spec.shape[1:]]
    return {spec.name: table.reshape(len(table), *item)}


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
    known = ", ".join(features)
    names = set(features)
    if unknown := _first(key for key in keys if key not in names):
        raise InvalidInput(f"the model has no feature {unknown}; it has {known}")
    if missing := _first(name for name in features if name not in places):
        raise InvalidInput(f"the key {missing} is missing; the model takes {known}")
    return [places[name] for name in features]


def _first(names: Iterable[str]) -> str:
    return next((repr(name[:128]) for name in names), "")
