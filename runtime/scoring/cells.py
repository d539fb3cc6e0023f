"""From the cells of a table to a model's inputs; a row that cannot be one is rejected.

Rows of numbers become one array at once. Rows with texts go the way of a request's rows
(``runtime.prediction.rows``).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bundle.errors import ShapeError
from runtime.errors import InvalidInput
from runtime.models.fitness import takes_rows
from runtime.prediction.inputs import MAX_WHOLE_FLOAT, Nested
from runtime.prediction.rows import Rows, to_row_input
from runtime.scoring.chunks import Column, Table
from runtime.scoring.facts import Facts
from runtime.scoring.naming import item_shape

# A cell of numbers with one of these words is empty; the trainer takes the same for it.
MISSING = frozenset(
    {"", "NA", "N/A", "n/a", "#N/A", "nan", "NaN", "null", "NULL", "None"}
)
# The words of JSON, of Python and of R for a flag.
_FLAGS = {
    **{"true": "1", "True": "1", "TRUE": "1"},
    **{"false": "0", "False": "0", "FALSE": "0"},
}
# So many characters of a cell stand in a reason.
_SHOWN = 40

Rejected = dict[int, str]
Inputs = Mapping[str, NDArray[Any]]


def inputs_of_table(
    table: Table, rows: int, facts: Facts
) -> tuple[list[int], Inputs, Rejected]:
    """Make a model's inputs of rows.

    Args:
        table: the columns that the model takes, in its order.
        rows: the number of rows.
        facts: the model.

    Returns:
        The places of the rows that are in the inputs; an array ``(n, …)`` of each
        input's dtype, by the input's name; and the reason of each other row, by its
        place.
    """
    if not takes_rows(facts.inputs):
        return _mixed(table, rows, facts)
    matrix = np.empty((rows, len(table.columns)), np.float64)
    rejected: Rejected = {}
    for number, (name, column) in enumerate(table.columns.items()):
        matrix[:, number], bad = _numbers(name, column)
        rejected |= {place: bad[place] for place in bad.keys() - rejected.keys()}
    names = tuple(table.columns)
    item = item_shape(facts, (len(names),))
    return inputs_of_numbers(matrix, facts, item, names, rejected)


def inputs_of_numbers(
    matrix: NDArray[Any],
    facts: Facts,
    item: tuple[int, ...],
    names: Sequence[str] = (),
    rejected: Mapping[int, str] | None = None,
) -> tuple[list[int], Inputs, Rejected]:
    """Make the input of a model that takes rows of numbers.

    NaN means that a value is missing. A model with ``features`` may know what to do
    then; for any other such a row is rejected. So is each row that the input's dtype
    cannot hold: no value is wrapped, or becomes infinite.

    Args:
        matrix: ``(N, F)`` of a numeric dtype.
        facts: the model.
        item: the shape of an item in the model's input, of F numbers in all.
        names: the names of the F values; empty if they have none.
        rejected: the rows that are rejected already, by their places.

    Returns:
        See ``inputs_of_table``.
    """
    (spec,) = facts.inputs
    found: Rejected = dict(rejected or {})
    bad = _unfit(matrix, spec.dtype, may_lack=bool(facts.features))
    for place in np.flatnonzero(bad.any(axis=1)).tolist():
        if place not in found:
            column = int(bad[place].argmax())
            what = repr(names[column]) if names else f"number {column}"
            found[place] = _reason(what, matrix[place, column], spec.dtype)
    places = [place for place in range(len(matrix)) if place not in found]
    with np.errstate(invalid="ignore", over="ignore"):
        array = np.ascontiguousarray(matrix[places] if found else matrix, spec.dtype)
    return places, {spec.name: array.reshape(len(array), *item)}, found


def _unfit(
    matrix: NDArray[Any], dtype: np.dtype[Any], *, may_lack: bool
) -> NDArray[np.bool_]:
    """Tell which numbers of ``(N, F)`` a dtype cannot hold.

    Whole numbers all fit into a float32, and then one False stands for a row.
    """
    if dtype.kind == "f":
        if matrix.dtype.kind != "f":
            if dtype.itemsize > 2:
                return np.zeros((len(matrix), 1), bool)
            matrix = matrix.astype(np.float64)
        bad: NDArray[np.bool_] = np.abs(matrix) > np.finfo(dtype).max  # infinity, too
        return bad if may_lack else bad | np.isnan(matrix)
    limits = np.iinfo(dtype)
    lowest, highest = int(limits.min), int(limits.max)
    if matrix.dtype.kind == "f":
        # A greater float may stand for its neighbour.
        lowest, highest = max(lowest, -MAX_WHOLE_FLOAT), min(highest, MAX_WHOLE_FLOAT)
    # NaN and infinity are not equal to their whole parts, or are beyond the limits.
    bad = (matrix < lowest) | (matrix > highest)
    if matrix.dtype.kind == "f":
        bad |= np.trunc(matrix) != matrix
    return bad


def _reason(what: str, value: Any, dtype: np.dtype[Any]) -> str:
    if value != value:
        return f"the value {what} is missing"
    if dtype.itemsize == 8 and MAX_WHOLE_FLOAT < abs(value) < math.inf:
        return (
            f"the value {what} is beyond {MAX_WHOLE_FLOAT}, up to which whole numbers"
            " are exact; give an array of whole numbers in a .npz"
        )
    return f"the value {what} is {value}, which the model's {dtype} cannot hold"


def _numbers(name: str, column: Column) -> tuple[NDArray[np.float64], Rejected]:
    """Read a column as numbers; a missing cell becomes NaN."""
    if isinstance(column, np.ndarray):
        return column.astype(np.float64), {}
    try:
        return np.array(column, np.float64), {}
    except (ValueError, TypeError):  # a cell is empty, or is no number
        pass
    array = np.full(len(column), np.nan)
    bad: Rejected = {}
    for place, cell in enumerate(column):
        try:
            array[place] = math.nan if _is_missing(cell) else float(cell)
        except ValueError:
            bad[place] = f"the value {name!r} is {cell[:_SHOWN]!r}, which is no number"
    return array, bad


def _is_missing(cell: object) -> bool:
    if isinstance(cell, str):
        return cell.strip() in MISSING
    return cell is None or cell != cell


def _mixed(table: Table, rows: int, facts: Facts) -> tuple[list[int], Inputs, Rejected]:
    """Make the inputs of a model that takes numbers and texts by their names."""
    kinds = {spec.name: spec.dtype.kind for spec in facts.inputs}
    keys = tuple(table.columns)
    rejected: Rejected = {}
    columns: list[list[Any]] = []
    for name, column in table.columns.items():
        if kinds.get(name) == "O":
            columns.append([_text(cell) for cell in column])
            continue
        if kinds.get(name) == "b":
            column = [_FLAGS.get(cell, cell) for cell in column]
        numbers, bad = _numbers(name, column)
        rejected |= {place: bad[place] for place in bad.keys() - rejected.keys()}
        values = [None if n != n else n for n in numbers.tolist()]
        if kinds.get(name) == "b":
            values = [bool(n) if n in (0, 1) else n for n in values]
        columns.append(values)
    table_rows = list(zip(*columns, strict=True))

    def made(places: Sequence[int], *axes: int) -> Inputs:
        flat = [value for place in places for value in table_rows[place]]
        nested = Nested((*axes, len(keys)), flat, set(map(type, flat)))
        return to_row_input(Rows(keys, nested), facts.inputs, facts.features)

    places = [place for place in range(rows) if place not in rejected]
    try:
        return places, made(places, len(places)) if places else {}, rejected
    except (InvalidInput, ShapeError):
        pass  # one of the rows is to blame
    good: list[int] = []
    for place in places:
        try:
            made([place])
            good.append(place)
        except (InvalidInput, ShapeError) as ex:
            rejected[place] = str(ex)
    return good, made(good, len(good)) if good else {}, rejected


def _text(cell: object) -> str | None:
    """Return a cell as a text; None if it is missing."""
    if cell is None or cell == "" or cell != cell:
        return None
    return cell if isinstance(cell, str) else str(cell)
