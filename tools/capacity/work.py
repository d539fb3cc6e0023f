"""The cost of one request to a worker, from the figures of bench/results.json."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from bench import record

RESULTS = Path(__file__).parents[2] / "bench" / "results.json"

# ``runtime serve`` among the servers of the results.
_OURS = "ours"
# 99 of 100 values of a normal distribution lie below so many standard deviations.
_P99 = 2.3263


@dataclass(frozen=True)
class Work:
    """The processor time of one kind of request, in microseconds.

    A worker takes all requests that have come as one turn, and answers them at the end
    of the turn. A turn takes ``turn_us``, mostly for waking up, and each request in it
    ``request_us``.

    Attributes:
        turn_us: the time of a turn.
        request_us: the time of each request.
        sigma: the standard deviation of the logarithm of a turn's time.
        most: the most requests in one turn.
    """

    turn_us: float
    request_us: float
    sigma: float = 0.0
    most: int = 32

    @property
    def capacity(self) -> float:
        """The most requests a second that one worker can answer."""
        return 1e6 / (self.request_us + self.turn_us / self.most)

    def factors(self, draws: np.random.Generator, number: int) -> NDArray[np.float64]:
        """Draw ``(number,)`` factors of the time of turns, whose mean is 1."""
        if not self.sigma:
            return np.ones(number)
        return draws.lognormal(-(self.sigma**2) / 2, self.sigma, number)


@dataclass(frozen=True)
class Cell:
    """The measured figures of a work at a number of connections; see ``bench``."""

    connections: int
    requests_per_second: float
    p50_ms: float
    p99_ms: float
    server_us: float
    load_us: float


def measured(key: str) -> dict[int, Cell]:
    """Return the figures of a work of ``make bench``, by the connections.

    Args:
        key: the work's letter.

    Raises:
        KeyError: the work was not measured.
    """
    entry = record.read(RESULTS).servers[_OURS]
    found = {}
    for connections in (1, 8, 64):
        cell = entry.cells[record.key(key, connections)]
        loads = [one.load_us for one in cell.rounds if one.load_us is not None]
        if cell.server_us is None or not loads:
            raise KeyError(key)
        found[connections] = Cell(
            connections,
            cell.requests_per_second,
            cell.p50_ms,
            cell.p99_ms,
            cell.server_us,
            float(np.median(loads)),
        )
    return found


def of(key: str) -> Work:
    """Return the costs of a work, fitted to its figures with 1 and 64 connections.

    With one connection each turn has one request. With 64 a turn has so many that its
    own time does not count. The spread is that of the time with one connection.
    """
    cells = measured(key)
    turn = cells[1].server_us - cells[64].server_us
    sigma = math.log(cells[1].p99_ms / cells[1].p50_ms) / _P99
    if turn > 0:
        return Work(turn, cells[64].server_us, sigma)
    # A slow model's requests are not run together: each is a turn of its own.
    return Work(0.0, cells[64].server_us, sigma, most=1)


def load_generator(key: str) -> Work:
    """Return the costs of the load generator, fitted in the same way."""
    cells = measured(key)
    turn = max(0.0, cells[1].load_us - cells[64].load_us)
    return Work(turn, cells[64].load_us, most=1 << 30)
