"""Requests come at random times to nodes of some workers: how long does each take?"""

from __future__ import annotations

import heapq
from collections import deque
from dataclasses import dataclass
from typing import Literal

import numpy as np

from tools.capacity.work import Work

# ``random`` is a balancer of connections, such as a Service of Kubernetes, if clients
# have many. ``two`` asks two nodes drawn at random, and takes the one with fewer
# requests in hand. ``least`` takes the one with the fewest of all. ``shared`` is no
# balancer: it is one queue for all workers, the best that there can be.
Balancer = Literal["random", "two", "least", "shared"]


@dataclass(frozen=True)
class Fleet:
    """Nodes behind a load balancer.

    Attributes:
        nodes: the number of nodes.
        workers: the workers of a node. The kernel gives a connection to one of them
            without a look at its load.
        balancer: the choice of the node.
        max_queue: the most requests that wait for a worker; more get 503.
        timeout_ms: a request that waited longer gets 504; 0 is never.
    """

    nodes: int = 1
    workers: int = 4
    balancer: Balancer = "random"
    max_queue: int = 256
    timeout_ms: float = 0.0


@dataclass(frozen=True)
class Outcome:
    """The outcome of a simulation.

    Attributes:
        requests_per_second: the requests that were answered.
        p50_ms: half of the answers took no longer, from their arrival on.
        p99_ms: 99 of 100 answers took no longer.
        mean_ms: the mean of the answers' times.
        in_flight: the requests that a node answers at the same time, as the metric
            counts them: from the moment at which a worker has read their heads. That
            is the beginning of their turn, and for slow models, which have threads of
            their own, the arrival.
        turn: the requests in one turn.
        refused: the share of the requests that got 503.
        expired: the share of the requests that got 504.
    """

    requests_per_second: float
    p50_ms: float
    p99_ms: float
    mean_ms: float
    in_flight: float
    turn: float
    refused: float
    expired: float


class _Draws:
    """Random numbers, drawn many at a time because a draw alone is slow."""

    def __init__(self, work: Work, seed: int) -> None:
        self._generator = np.random.default_rng(seed)
        self._work = work
        self._factors: list[float] = []
        self._uniform: list[float] = []

    def factor(self) -> float:
        """Draw the factor of a turn's time."""
        if not self._factors:
            self._factors = self._work.factors(self._generator, 4096).tolist()
        return self._factors.pop()

    def below(self, number: int) -> int:
        """Draw a whole number below another one."""
        if not self._uniform:
            self._uniform = self._generator.random(4096).tolist()
        return int(self._uniform.pop() * number)

    def gaps(self, number: int, mean: float) -> list[float]:
        """Draw the times between arrivals."""
        return self._generator.exponential(mean, number).tolist()


class _Simulation:
    """One run; times are in microseconds."""

    def __init__(self, work: Work, fleet: Fleet, seed: int) -> None:
        self._work, self._fleet = work, fleet
        self._is_slow = work.most == 1
        self._draws = _Draws(work, seed)
        count = fleet.nodes * fleet.workers
        shared: deque[float] = deque()
        is_shared = fleet.balancer == "shared"
        self._queues = [shared if is_shared else deque() for _ in range(count)]
        self._is_busy = [False] * count
        self._in_hand = [0] * fleet.nodes
        self._ends: list[tuple[float, int, list[float]]] = []
        self._most_waiting = fleet.max_queue * (count if is_shared else 1)
        self.times: list[float] = []
        self.seen_us = 0.0  # the time of all requests, as the metric has it
        self.turns = self.taken = self.refused = self.expired = 0

    def run(self, utilisation: float, requests: int) -> float:
        """Let requests come; return the time of the last arrival."""
        workers = len(self._queues)
        now = 0.0
        mean = 1e6 / (utilisation * workers * self._work.capacity)
        for gap in self._draws.gaps(requests, mean):
            now += gap
            while self._ends and self._ends[0][0] <= now:
                self._end(*heapq.heappop(self._ends))
            self._arrive(now)
        last = now
        while self._ends:
            self._end(*heapq.heappop(self._ends))
        return last

    def _arrive(self, now: float) -> None:
        if self._fleet.balancer == "shared":
            node, worker = 0, self._idle()
        else:
            node = self._node()
            workers = self._fleet.workers
            worker = node * workers + self._draws.below(workers)
        queue = self._queues[worker]
        if len(queue) >= self._most_waiting:
            self.refused += 1
            return
        queue.append(now)
        self._in_hand[node] += 1
        if not self._is_busy[worker]:
            self._begin(worker, now)

    def _idle(self) -> int:
        """Return an idle worker; a busy one if there is none."""
        return self._is_busy.index(False) if False in self._is_busy else 0

    def _node(self) -> int:
        below, in_hand = self._draws.below, self._in_hand
        one = below(len(in_hand))
        if self._fleet.balancer == "two":
            other = below(len(in_hand))
            return other if in_hand[other] < in_hand[one] else one
        if self._fleet.balancer == "least" and in_hand[one] > (least := min(in_hand)):
            equal = [node for node, count in enumerate(in_hand) if count == least]
            return equal[below(len(equal))]
        return one

    def _begin(self, worker: int, now: float) -> None:
        """Take what waits as a turn; a request that waited too long is not run."""
        queue = self._queues[worker]
        came = []
        earliest = now - self._fleet.timeout_ms * 1000 if self._fleet.timeout_ms else 0
        while queue and len(came) < self._work.most:
            at = queue.popleft()
            if at < earliest:
                self.expired += 1
                self._in_hand[worker // self._fleet.workers] -= 1
            else:
                came.append(at)
        self._is_busy[worker] = bool(came)
        if not came:
            return
        takes = self._work.turn_us + self._work.request_us * len(came)
        takes *= self._draws.factor()
        self.turns += 1
        self.taken += len(came)
        self.seen_us += (now + takes - came[0]) if self._is_slow else takes * len(came)
        heapq.heappush(self._ends, (now + takes, worker, came))

    def _end(self, now: float, worker: int, came: list[float]) -> None:
        self.times += [now - at for at in came]
        # A shared queue counts all requests for the first node.
        node = 0 if self._fleet.balancer == "shared" else worker // self._fleet.workers
        self._in_hand[node] -= len(came)
        self._begin(worker, now)


def simulate(
    work: Work,
    fleet: Fleet,
    utilisation: float,
    requests: int = 60_000,
    seed: int = 1,
) -> Outcome:
    """Simulate requests that come at random times, as those of many clients do.

    Args:
        work: the requests.
        fleet: the nodes.
        utilisation: the requests a second, as a share of what all workers can answer.
        requests: the number of requests.
        seed: the beginning of the random numbers.
    """
    simulation = _Simulation(work, fleet, seed)
    seconds = simulation.run(utilisation, requests) / 1e6
    times = np.array(simulation.times) / 1e3
    p50, p99 = np.percentile(times, (50, 99))
    return Outcome(
        requests_per_second=len(times) / seconds,
        p50_ms=float(p50),
        p99_ms=float(p99),
        mean_ms=float(times.mean()),
        in_flight=simulation.seen_us / 1e6 / seconds / fleet.nodes,
        turn=simulation.taken / simulation.turns,
        refused=simulation.refused / requests,
        expired=simulation.expired / requests,
    )
