"""Metrics of requests, noted now and added up later, many at a time.

A request has some eight of them, and prometheus_client takes 2 to 4 us for each: a
lock, a search for the bucket, a write to a file that processes share. To note one takes
a tenth of a microsecond; added up together, thousands cost what some tens did.
"""

from __future__ import annotations

import atexit
import threading
import time
from collections import deque
from collections.abc import Iterator

import numpy as np
from prometheus_client import CollectorRegistry, Counter, Histogram, Metric

# What another process's GET /metrics may lack.
SECONDS = 0.25
# Of a process whose thread gets no turn: what is noted must not grow without end.
_MOST = 100_000


class Tally:
    """What was noted and is not added up yet; safe between threads.

    Args:
        registry: whoever collects it finds all added up; it must be the first that is
            registered there.
    """

    def __init__(self, registry: CollectorRegistry) -> None:
        self._noted: deque[tuple[Counter | Histogram, float]] = deque()
        self._is_noted = threading.Event()
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None
        registry.register(self)
        atexit.register(self.add_up)

    def note(self, metric: Counter | Histogram, value: float = 1.0) -> None:
        """Note what a counter goes up by, or what a histogram observes."""
        self._noted.append((metric, value))
        if not self._is_noted.is_set():
            self._wake()

    def _wake(self) -> None:
        # Started by what is noted, and not before: threads do not live through a fork.
        if self._thread is None or not self._thread.is_alive():
            with self._lock:
                if self._thread is None or not self._thread.is_alive():
                    self._thread = threading.Thread(
                        target=self._add_up_for_ever, name="tally", daemon=True
                    )
                    self._thread.start()
        self._is_noted.set()
        if len(self._noted) > _MOST:
            self.add_up()

    def _add_up_for_ever(self) -> None:
        while True:
            self._is_noted.wait()
            time.sleep(SECONDS)
            self._is_noted.clear()
            self.add_up()

    def add_up(self) -> None:
        """Bring the metrics up to what was noted."""
        values: dict[Counter | Histogram, list[float]] = {}
        with self._lock:
            for _ in range(len(self._noted)):
                metric, value = self._noted.popleft()
                values.setdefault(metric, []).append(value)
            for metric, of_it in values.items():
                if isinstance(metric, Counter):
                    metric.inc(sum(of_it))
                else:
                    _observe(metric, of_it)

    def collect(self) -> Iterator[Metric]:
        """For the registry, which asks it before all others; it has none of its own."""
        self.add_up()
        return iter(())

    def describe(self) -> Iterator[Metric]:
        """For the registry, which would collect to know the names."""
        return iter(())


def _observe(histogram: Histogram, values: list[float]) -> None:
    """As ``Histogram.observe`` of each, which goes through the buckets each time."""
    histogram._sum.inc(sum(values))
    # The first bucket whose bound is not below the value; the last one's is infinity.
    places = np.searchsorted(histogram._upper_bounds, values)
    for place, count in enumerate(np.bincount(places).tolist()):
        if count:
            histogram._buckets[place].inc(count)
