"""Metrics of requests, which are noted at once and added up later, many at a time.

A request has some eight of them, and prometheus_client takes 2 to 4 us for each: a
lock, a search for the bucket, a write to a file that processes share. To note all eight
takes a fifth of a microsecond. Added up together, thousands take the time of some tens.
"""

from __future__ import annotations

import atexit
import threading
from collections import deque
from collections.abc import Iterator, Sequence
from typing import TypeAlias

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, Metric

from runtime.process.soon import Soon
from runtime.telemetry.histogram import observe_all

# A metric with a value: the step of a counter or gauge, or a histogram's observation.
Noted: TypeAlias = Counter | Gauge | Histogram

# GET /metrics of another process may lack the values of so many seconds.
SECONDS = 0.25
# The values of a process whose thread gets no turn must not grow without end.
MOST = 100_000


class Tally:
    """The values that are noted and not added up yet; several threads may note some.

    Args:
        registry: the registry; all values are added up when it is collected. The tally
            must be the first that is registered there.
        seconds: the seconds after which they are added up if nobody collects.
        most: the most notes that wait; with one more, they are added up at once.
    """

    def __init__(
        self, registry: CollectorRegistry, seconds: float = SECONDS, most: int = MOST
    ) -> None:
        self._most = most
        self._noted: deque[tuple[tuple[Noted, ...], Sequence[float]]] = deque()
        self._lock = threading.Lock()
        self._soon = Soon(self.add_up, seconds, "tally")
        registry.register(self)
        atexit.register(self.add_up)

    def note(self, metrics: tuple[Noted, ...], values: Sequence[float]) -> None:
        """Note a value of each metric; the same metrics are best the same tuple."""
        self._noted.append((metrics, values))
        if not self._soon.is_due:
            self._soon.want()
        elif len(self._noted) > self._most:
            self.add_up()

    def add_up(self) -> None:
        """Add all noted values to the metrics."""
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
        """Add up all values, because the registry asks this before all others."""
        self.add_up()
        return iter(())

    def describe(self) -> Iterator[Metric]:
        """Name no metric; the registry would otherwise collect to learn the names."""
        return iter(())
