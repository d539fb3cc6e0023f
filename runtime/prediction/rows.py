"""Rows of numbers, TFaaS's keys and values -> the one input of a model."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from numpy.typing import NDArray

from runtime.backends import TensorSpec
from runtime.errors import InvalidInput
from runtime.models.fitness import _check_width, takes_rows
from runtime.prediction.inputs import Nested, flatten, to_array


@dataclass(frozen=True)
class Rows:
    """What a client sent.

    Attributes:
        keys: names of a row's values, in their order; empty if it sent none.
        values: ``(F,)`` of one row, or ``(N, F)``.
    """

    keys: tuple[str, ...]
    values: Nested

    @property
    def is_one(self) -> bool:
        """Whether it is one row, and not a list of rows."""
        return len(self.values.shape) == 1


def read_rows(keys: object, values: object) -> Rows:
    """Check keys and values as JSON has them; no keys are an empty list or null.

    Raises:
        InvalidInput: they are none.
        ShapeError: rows have different lengths.
    """
    if keys is None:  # what Go makes of an empty list
        keys = []
    if not isinstance(keys, list) or not all(isinstance(key, str) for key in keys):
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
        features: names of a row's values in the model's order, of which each must be
            among the keys; empty if params.json names none, and then the order is taken
            as it is.

    Returns:
        ``(N, …)``, whose other axes hold F numbers. If the model has a fixed batch, N
        need not be it.

    Raises:
        InvalidInput: the model takes no rows, the keys do not fit, or a value is no
            number that the model's dtype holds.
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
    item = tuple(-1 if n is None else n for n in spec.shape[1:])
    return {spec.name: table.reshape(len(table), *item)}


def _order(
    keys: tuple[str, ...], features: tuple[str, ...], width: int
) -> list[int] | None:
    """Where in a row each of the model's values stands; None if they stand in order."""
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
