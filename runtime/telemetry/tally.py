"""Metrics of requests, noted now and added up later, many at a time.

A request has some eight of them, and prometheus_client takes 2 to 4 us for each: a
lock, a search for the bucket, a write to a file that processes share. To note all eight
takes a fifth of a microsecond; added up together, thousands cost what some tens did.
"""

from __future__ import annotations

import atexit
import threading
import time
from collections import deque
from collections.abc import Iterator, Sequence
from typing import TypeAlias

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, Metric

from runtime.process.daemon_thread import DaemonThread
from runtime.telemetry.histogram import observe_all

# What a counter or a gauge goes up by; what a histogram observes.
Noted: TypeAlias = Counter | Gauge | Histogram

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
        self._noted: deque[tuple[tuple[Noted, ...], Sequence[float]]] = deque()
        self._is_noted = threading.Event()
        self._lock = threading.Lock()
        self._thread = DaemonThread(self._add_up_for_ever, "tally")
        registry.register(self)
        atexit.register(self.add_up)

    def note(self, metrics: tuple[Noted, ...], values: Sequence[float]) -> None:
        """Note a value of each metric; the same metrics are best the same tuple."""
        self._noted.append((metrics, values))
        if not self._is_noted.is_set():
            self._wake()

    def _wake(self) -> None:
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
        together: dict[tuple[Noted, ...], list[Sequence[float]]] = {}
        with self._lock:
            for _ in range(len(self._noted)):
                metrics, values = self._noted.popleft()
                together.setdefault(metrics, []).append(values)
            for metrics, rows in together.items():
                for metric, of_it in zip(metrics, zip(*rows, strict=True), strict=True):
                    if isinstance(metric, Histogram):
                        observe_all(metric, of_it)
                    else:
                        metric.inc(sum(of_it))

    def collect(self) -> Iterator[Metric]:
        """For the registry, which asks it before all others; it has none of its own."""
        self.add_up()
        return iter(())

    def describe(self) -> Iterator[Metric]:
        """For the registry, which would collect to know the names."""
        return iter(())
