"""The heartbeat of workers: a worker that hangs is found by its silence."""

from __future__ import annotations

import ctypes
import multiprocessing
from collections.abc import Sequence

# The parent looks at the hearts once in so many seconds.
LOOK_SECONDS = 1.0
# A worker whose heart did not beat between so many looks hangs. Looks are counted, and
# not seconds: after a pause of the whole machine no worker has been silent for long.
SILENT_LOOKS = 10


class Hearts:
    """A number for each worker, in memory that all processes share.

    A worker's network thread adds 1 to its number every second, so the number stands
    still if that thread hangs or the process is stopped. 0 means that the worker does
    not serve yet.

    Args:
        count: the number of workers.
    """

    def __init__(self, count: int) -> None:
        context = multiprocessing.get_context("spawn")
        self._beats = context.RawArray(ctypes.c_uint64, count)

    def beat(self, index: int) -> None:
        """Beat, in the worker of this index."""
        self._beats[index] += 1

    def stop(self, index: int) -> None:
        """Note that the worker of this index does not serve, or not yet."""
        self._beats[index] = 0

    def now(self) -> Sequence[int]:
        """Return the workers' numbers."""
        return list(self._beats)


class Watchdog:
    """Tells which workers hang.

    Args:
        hearts: the workers' hearts.
        silent_looks: the looks without a beat after which a worker hangs.
    """

    def __init__(self, hearts: Hearts, silent_looks: int = SILENT_LOOKS) -> None:
        self._hearts = hearts
        self._silent_looks = silent_looks
        self._last = list(hearts.now())
        self._silent = [0] * len(self._last)

    def look(self) -> list[int]:
        """Look at all hearts once; return the indices of the workers that hang."""
        found = []
        for index, beats in enumerate(self._hearts.now()):
            is_silent = beats and beats == self._last[index]
            self._silent[index] = self._silent[index] + 1 if is_silent else 0
            self._last[index] = beats
            if self._silent[index] >= self._silent_looks:
                self._silent[index] = 0
                found.append(index)
        return found
