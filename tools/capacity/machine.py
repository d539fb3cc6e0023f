"""One machine as ``make bench`` loads it: workers and the load generator share cores.

Each connection sends its next request when it has its answer. So the figures can be
compared with those that were measured.
"""

from __future__ import annotations

import heapq
from collections import deque
from dataclasses import dataclass

import numpy as np

from tools.capacity.work import Work


@dataclass(frozen=True)
class Figures:
    """The figures of one load; ``server_us`` is the workers' time for one request."""

    requests_per_second: float
    p50_ms: float
    p99_ms: float
    server_us: float


class _Machine:
    """The processes, the last of which is the load generator, and the cores."""

    def __init__(
        self, work: Work, load: Work, connections: int, workers: int, cores: int
    ) -> None:
        self._costs = [*[work] * workers, load]
        self._inbox: list[list[int]] = [[] for _ in self._costs]
        self._inbox[-1] = list(range(connections))
        self._sent: list[float | None] = [None] * connections
        self._workers, self._free = workers, cores
        self._ready = deque([workers])  # the load generator begins
        self._is_awake = [*[False] * workers, True]
        self._ends: list[tuple[float, int, list[int]]] = []
        self._draws = np.random.default_rng(1)
        self._factors: list[float] = []
        self.now = 0.0
        self.times: list[float] = []
        self.busy_us, self.answered = 0.0, 0

    def run(self, requests: int) -> None:
        """Go on until so many requests are answered."""
        while len(self.times) < requests:
            while self._free and self._ready:
                self._free -= 1
                self._begin(self._ready.popleft())
            self.now, process, taken = heapq.heappop(self._ends)
            self._free += 1
            if process == self._workers:
                self._send(taken)
            else:
                self._put(self._workers, taken)
            # A process with more to do keeps its core.
            if self._inbox[process]:
                self._ready.appendleft(process)
            else:
                self._is_awake[process] = False

    def _begin(self, process: int) -> None:
        costs, inbox = self._costs[process], self._inbox[process]
        taken, self._inbox[process] = inbox[: costs.most], inbox[costs.most :]
        if not self._factors:
            self._factors = self._costs[0].factors(self._draws, 4096).tolist()
        takes = costs.turn_us + costs.request_us * len(taken)
        takes *= self._factors.pop()
        if process < self._workers:
            self.busy_us += takes
            self.answered += len(taken)
        heapq.heappush(self._ends, (self.now + takes, process, taken))

    def _send(self, connections: list[int]) -> None:
        for connection in connections:
            sent = self._sent[connection]
            if sent is not None:
                self.times.append(self.now - sent)
            self._sent[connection] = self.now
            self._put(connection % self._workers, [connection])

    def _put(self, process: int, connections: list[int]) -> None:
        self._inbox[process] += connections
        if not self._is_awake[process]:
            self._is_awake[process] = True
            self._ready.append(process)


def simulate(
    work: Work,
    load: Work,
    connections: int,
    workers: int = 2,
    cores: int = 2,
    requests: int = 20_000,
) -> Figures:
    """Simulate one load of ``make bench``.

    Args:
        work: the requests.
        load: the cost of a request to the load generator.
        connections: the connections, shared out evenly among the workers.
        workers: the worker processes.
        cores: the cores, for the workers and the load generator.
        requests: the number of requests.
    """
    machine = _Machine(work, load, connections, workers, cores)
    machine.run(requests)
    times = np.array(machine.times) / 1e3
    p50, p99 = np.percentile(times, (50, 99))
    return Figures(
        len(times) / machine.now * 1e6,
        float(p50),
        float(p99),
        machine.busy_us / machine.answered,
    )
