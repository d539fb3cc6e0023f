"""How many requests a client may make: config.json's ``rate``."""

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

_UNITS: dict[str, tuple[type[RateLimitItem], str]] = {
    "S": (RateLimitItemPerSecond, "a second"),
    "M": (RateLimitItemPerMinute, "a minute"),
    "H": (RateLimitItemPerHour, "an hour"),
    "D": (RateLimitItemPerDay, "a day"),
}

# Windows are of the clock's time, and a clock may be set: put back by a day, it would
# make a second's window last for a day. What it is slewed by stays far below.
_JUMP_SECONDS = 1.0


class Allowance(NamedTuple):
    """What a client may still do.

    Attributes:
        is_exceeded: this request was one too many.
        limit: requests a window.
        remaining: in this window.
        reset: when the next window begins, in unix seconds, rounded up.
        wait: seconds until then, at least 1.
    """

    is_exceeded: bool
    limit: int
    remaining: int
    reset: int
    wait: int


class RateLimiter:
    """Counts each client's requests in windows, as TFaaS does.

    A window begins with a client's first request. The counts are this process' own:
    where several serve, a client may make as many times more. They are forgotten when
    their window ends, so that memory holds one count a client of the last window, and
    when the clock was set.

    Attributes:
        unit: ``a second``, ``an hour`` …

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
        # A count and what it leaves are two calls, and must be of one moment.
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


def _offset() -> float:
    """How far the clock is ahead of one that only goes on, in seconds."""
    return time.time() - time.monotonic()
