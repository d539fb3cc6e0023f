"""Rows of numbers and texts, as ``POST /predict/json`` takes them."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from tfaas_onnx import shapes
from tfaas_onnx.errors import WrongArgument
from tfaas_onnx.reply import Reply

# A value of a row; None is one that is missing, and so is NaN.
Value: TypeAlias = float | str | None
Row: TypeAlias = Mapping[str, Value]

# Each row is answered with a list of scores.
_SCORES = shapes.Items(list)


def rows_to_body(rows: Sequence[Row], spec: Mapping[str, object]) -> bytes:
    """Write the body of a request.

    Args:
        rows: the values of each row by their names; numpy's numbers are numbers, too.
        spec: the keys that name the model.

    Raises:
        WrongArgument: there is no row, rows have other names than the first one, or a
            value is neither a finite number nor a text.
    """
    if not isinstance(rows, Sequence) or not all(isinstance(r, Mapping) for r in rows):
        raise WrongArgument("rows", "must be a list of dicts")
    if not rows:
        raise WrongArgument("rows", "are none; give one or more")
    keys = list(rows[0])
    for number, row in enumerate(rows):
        if row.keys() != rows[0].keys():
            raise WrongArgument("rows", f"have other names in rows[{number}]")
    values = [
        [_plain(row[key], f"rows[{number}][{key!r}]") for key in keys]
        for number, row in enumerate(rows)
    ]
    return json.dumps({**spec, "keys": keys, "values": values}).encode()


def _plain(value: Any, where: str) -> Any:
    """Return a value as JSON has it."""
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, float) and not math.isfinite(value):
        if math.isnan(value):
            return None
        raise WrongArgument("rows", f"hold infinity as {where}")
    if value is not None and not isinstance(value, (bool, int, float, str)):
        raise WrongArgument(
            "rows", f"hold {type(value).__name__} as {where}; give a number or a text"
        )
    return value


def read_scores(reply: Reply, count: int) -> NDArray[Any]:
    """Read the answer to so many rows.

    Returns:
        ``(N, …)``: float64, or int64, flags or texts of a model that answers these.

    Raises:
        NotAService: the reply is no such answer.
    """
    content = reply.json(_SCORES)
    try:
        scores = np.array(content)
    except ValueError as ex:  # its lists have several lengths
        raise reply.stranger("its scores are no array") from ex
    if len(scores) != count or scores.dtype.kind not in "fiubU":
        raise reply.stranger(f"it answered {len(scores)} of {count} rows")
    return scores
