"""Counts of the last while, in slots of time."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from runtime.watching.reference import Figure

# The window slides by a twelfth of its length at a time.
SLOTS = 12

Counts = Mapping[Figure, NDArray[np.int64]]


class Window:
    """Counts by figure in the last seconds; it holds at most ``SLOTS`` slots.

    The slots of all processes begin at the same times, so their windows can be added.

    Args:
        seconds: the length of the window.
    """

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds / SLOTS
        self._slots: OrderedDict[int, dict[Figure, NDArray[np.int64]]] = OrderedDict()

    def add(self, counts: Counts, now: float) -> None:
        """Add counts to the slot of a time.

        Args:
            counts: a number for each bin, by figure.
            now: the time, in seconds of ``time.time``.
        """
        slot = self._slots.setdefault(int(now / self._seconds), {})
        for figure, numbers in counts.items():
            slot[figure] = slot.get(figure, 0) + numbers
        self._forget(now)

    def sums(self, now: float) -> dict[Figure, NDArray[np.int64]]:
        """Return the numbers in the window that ends now, by figure."""
        return sum_of([self.to_json(now)], self._seconds * SLOTS, now)

    def to_json(self, now: float) -> dict[str, dict[str, list[int]]]:
        """Return the numbers of each slot, for another process."""
        self._forget(now)
        return {
            str(slot): {figure: numbers.tolist() for figure, numbers in counts.items()}
            for slot, counts in self._slots.items()
        }

    def _forget(self, now: float) -> None:
        newest = int(now / self._seconds)
        # A clock that was set back leaves slots of a time that has not come.
        for slot in [
            slot for slot in self._slots if not newest - SLOTS < slot <= newest
        ]:
            del self._slots[slot]


def sum_of(
    windows: Iterable[Mapping[str, Mapping[str, Any]]], seconds: float, now: float
) -> dict[Figure, NDArray[np.int64]]:
    """Add the windows of several processes.

    Args:
        windows: the results of ``Window.to_json`` of each.
        seconds: the length of the window.
        now: the time, in seconds of ``time.time``.

    Returns:
        A number for each bin, by figure.
    """
    newest = int(now / (seconds / SLOTS))
    total: dict[Any, NDArray[np.int64]] = {}
    for window in windows:
        for slot, counts in window.items():
            if newest - SLOTS < int(slot) <= newest:
                for figure, numbers in counts.items():
                    total[figure] = total.get(figure, 0) + np.array(numbers, np.int64)
    return total
