"""The limit on a client's requests: config.json's ``rate``."""

from __future__ import annotations

import math
import threading
import time
from typing import NamedTuple

from limits import (
    RateLimitItem,
    RateLimitItemPerDay,
    RateLimitItemPerHour,
    RateLimitItemPerMinute,
    RateLimitItemPerSecond,
)
from limits.storage import MemoryStorage
from limits.strategies import FixedWindowRateLimiter

from runtime.access.gate import client_of
from runtime.config import RATE
from runtime.errors import RateLimited

_UNITS: dict[str, tuple[type[RateLimitItem], str]] = {
    "S": (RateLimitItemPerSecond, "a second"),
    "M": (RateLimitItemPerMinute, "a minute"),
    "H": (RateLimitItemPerHour, "an hour"),
    "D": (RateLimitItemPerDay, "a day"),
}

# A window ends at a time of the clock. If somebody puts the clock back by a day, a
# window of a second would last for a day, so a jump of so many seconds empties the
# counts. A time server's small corrections stay far below.
_JUMP_SECONDS = 1.0


class Allowance(NamedTuple):
    """The number of requests that a client may still make.

    Attributes:
        is_exceeded: whether this request was one too many.
        limit: the requests of one window.
        remaining: the requests that are left in this window.
        reset: the time when the next window begins, in unix seconds, rounded up.
        wait: seconds until then, at least 1.
    """

    is_exceeded: bool
    limit: int
    remaining: int
    reset: int
    wait: int


class RateLimiter:
    """Counts each client's requests in windows, as TFaaS does.

    A window begins with a client's first request. Each process has its own counts: if
    four processes serve, a client may make four times as many requests. A count is
    dropped when its window ends, so memory holds one count for each client of the last
    window. All counts are dropped when somebody sets the clock.

    Attributes:
        unit: the length of a window in words: ``a second``, ``an hour`` …

    Args:
        rate: ``100-S`` is 100 requests a second; M, H and D are a minute, an hour and
            a day.
    """

    def __init__(self, rate: str) -> None:
        amount, unit = RATE.fullmatch(rate).groups()  # type: ignore[union-attr]
        item, self.unit = _UNITS[unit.upper()]
        self._limit = item(int(amount))
        self._storage = MemoryStorage()
        self._windows = FixedWindowRateLimiter(self._storage)
        self._offset = _offset()
        # Two calls count and read the rest; no other request may come between them.
        self._lock = threading.Lock()

    def take(self, address: str) -> Allowance:
        """Count one request of the client at this address."""
        client = client_of(address)
        with self._lock:
            if abs(_offset() - self._offset) > _JUMP_SECONDS:
                self._storage.reset()
                self._offset = _offset()
            is_allowed = self._windows.hit(self._limit, client)
            reset, remaining = self._windows.get_window_stats(self._limit, client)
        return Allowance(
            is_exceeded=not is_allowed,
            limit=self._limit.amount,
            remaining=remaining,
            reset=math.ceil(reset),
            wait=max(1, math.ceil(reset - time.time())),
        )

    def refusal(self, allowance: Allowance) -> RateLimited:
        """Make the error of a request that was one too many."""
        return RateLimited(
            f"Limit exceeded: {allowance.limit} requests {self.unit} are allowed; try"
            f" again in {allowance.wait} s"
        )


def _offset() -> float:
    """Return the seconds by which the clock is ahead of one that nobody can set."""
    return time.time() - time.monotonic()
