"""Drift: the distributions of what came lately, beside those of the test set."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Mapping
from typing import Any

from numpy.typing import NDArray

from bundle.errors import BundleError
from runtime.backends import TensorSpec
from runtime.descriptions import Drift
from runtime.models.model import Model
from runtime.models.watched import Arrays
from runtime.watching.counting import Pair, count_all
from runtime.watching.psi import psi
from runtime.watching.reference import FIGURES, OF_INPUT, read_reference
from runtime.watching.window import Window, sum_of

# So many items of one model are counted between two additions, which are a second
# apart. The shares of a few hundred items tell a drift, and a busy model has them soon.
MOST_ITEMS = 64
# The inputs that wait to be counted hold so many bytes, or one input.
_MOST_BYTES = 4 << 20
# A free axis counts as so long: a picture of free size is of a camera's.
_FREE_SIDE = 1024
# The usual bounds of the index.
MOVED = 0.1
DRIFTED = 0.25


class DriftOfModel:
    """The counts of one version in this process.

    Args:
        model: the version, which has just been loaded.
        seconds: the length of the window.
        least: the least items that are compared.

    Attributes:
        window: the arguments ``seconds`` and ``least``.
    """

    def __init__(self, model: Model, seconds: float, least: int) -> None:
        self._seconds = seconds
        self._least = least
        self.window = (seconds, least)
        self._window = Window(seconds)
        self._lock = (
            threading.Lock()
        )  # guards the window, and the exchange of what waits
        self._waiting: list[tuple[Arrays, Arrays]] = []
        self._output = model.output.name
        self._input = ""
        self.reason = ""
        try:
            self._reference = read_reference(model.bundle)
        except BundleError as ex:
            self._reference, self.reason = None, str(ex)
        if self._reference is None:
            self.reason = self.reason or (
                "the bundle has no report/metrics.json with the distributions of its"
                " test set; `trainer run` writes them"
            )
            self.room = 0
            return
        how = model.bundle.params.preprocess
        has_pixels = set(OF_INPUT) <= self._reference.counts.keys()
        if model.img_channels and has_pixels and (how.scale, how.offset) == (1.0, 0.0):
            # Test images are counted with pixels from 0 to 255.
            self._input = model.backend.inputs[0].name
        size = sum(map(_bytes_of_item, model.backend.inputs))
        self.room = max(1, min(MOST_ITEMS, _MOST_BYTES // max(1, size)))

    def note(self, inputs: Arrays, outputs: Arrays) -> None:
        """Note a request; it is counted later, or not at all if there are many."""
        if len(self._waiting) < self.room:
            self._waiting.append((inputs, outputs))

    def add_up(self) -> None:
        """Count the requests that were noted, and forget them."""
        with self._lock:  # two threads must not count the same requests
            waiting, self._waiting = self._waiting, []
        if not waiting or self._reference is None:
            return
        pairs: list[Pair] = []
        left = self.room
        for inputs, outputs in waiting:
            if left <= 0:
                break
            answers = _named(outputs, self._output)
            items = _named(inputs, self._input) if self._input else None
            if not answers.ndim or (items is not None and not items.ndim):
                continue
            answers = answers[:left]
            pairs.append((None if items is None else items[:left], answers))
            left -= len(answers)
        counts = count_all(self._reference, pairs)
        with self._lock:
            self._window.add(counts, time.time())

    def to_json(self) -> dict[str, Any]:
        """Return the window's counts, for another process."""
        with self._lock:
            return self._window.to_json(time.time())

    def describe(self, others: list[dict[str, Any]]) -> Drift:
        """Compare the windows of all processes with the test set.

        Args:
            others: the windows of the other processes.
        """
        told: Drift = {
            "state": "not comparable",
            "reason": self.reason,
            "items": 0,
            "least_items": self._least,
            "seconds": int(self._seconds),
            "psi": {},
        }
        if self._reference is None:
            return told
        sums = sum_of([self.to_json(), *others], self._seconds, time.time())
        numbers = {figure: int(sums[figure].sum()) for figure in sums}
        told["items"] = max(numbers.values(), default=0)
        told["psi"] = {
            figure: (
                round(psi(self._reference.counts[figure], sums[figure].tolist()), 4)
                if numbers.get(figure, 0) >= self._least
                else None
            )
            for figure in FIGURES
            if self._input or figure not in OF_INPUT
        }
        known = [index for index in told["psi"].values() if index is not None]
        if not known:
            told["state"] = "too few"
        elif max(known) < MOVED:
            told["state"] = "same"
        else:
            told["state"] = "moved" if max(known) < DRIFTED else "drifted"
        return told


def _bytes_of_item(spec: TensorSpec) -> int:
    sides = [_FREE_SIDE if side is None else side for side in spec.shape[1:]]
    return spec.dtype.itemsize * math.prod(sides)


def _named(arrays: Arrays, name: str) -> NDArray[Any]:
    return arrays[name] if isinstance(arrays, Mapping) else arrays
