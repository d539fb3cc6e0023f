"""The plan of a quick model's usual request, made once when the model is loaded."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from runtime.backends import TensorSpec
from runtime.lane import QUICK_SECONDS
from runtime.models.joint_run import kind_of
from runtime.models.turn import Turn


class Plan(NamedTuple):
    """One run of items for the model's one input, together with those of others.

    Attributes:
        turn: the requests that wait for the model.
        most: the most items that are quick.
        name: the input's name.
        shape: the shape of one item.
        dtype: the input's dtype.
        kind: the kind of all such requests (``joint_run.kind_of``).
        output: the main output's name.
    """

    turn: Turn
    most: int
    name: str
    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    kind: tuple[object, ...]
    output: str

    def takes(self, items: NDArray[Any]) -> bool:
        """Tell whether ``(N, …)`` items of any dtype are a usual request."""
        return (
            items.shape[1:] == self.shape
            and items.dtype == self.dtype
            and 0 < len(items) <= self.most
        )


def make_plan(
    turn: Turn,
    specs: tuple[TensorSpec, ...],
    output: TensorSpec,
    max_batch_size: int,
    seconds: float,
    max_numbers: int,
) -> Plan | None:
    """Make the plan, if there is one input whose items have one shape; else None.

    Args:
        turn: the requests that wait for the model.
        specs: the inputs of the model.
        output: the main output.
        max_batch_size: the most items in one run.
        seconds: the time of one item.
        max_numbers: the most numbers that the inputs of one run may hold.
    """
    if len(specs) != 1:
        return None
    (spec,) = specs
    sides = tuple(side for side in spec.shape[1:] if side is not None)
    # The first axis alone is free: it counts the items.
    if spec.shape != (None, *sides):
        return None
    item = np.empty((1, *sides), spec.dtype)
    most = max_numbers // max(1, item.size)
    return Plan(
        turn,
        min(max_batch_size, most, int(QUICK_SECONDS / seconds)),
        spec.name,
        sides,
        spec.dtype,
        kind_of({spec.name: item}),
        output.name,
    )
