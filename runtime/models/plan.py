"""The plan of a quick model's usual request, made once when the model is loaded."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

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
