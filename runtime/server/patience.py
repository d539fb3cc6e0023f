"""The patience of a thread with a client that takes or sends almost nothing."""

from __future__ import annotations

from collections.abc import Callable

# A client must move so many bytes in so many seconds of waiting: one KiB a second.
BYTES = 1 << 16
SECONDS = 60.0
# While others wait for the thread, a client loses it after this time of waiting.
CROWDED_SECONDS = 2.0
# A waiting thread decides once in so many seconds whether to wait longer.
TICK_SECONDS = 0.25


class Stalled(Exception):
    """The thread has waited for the client long enough."""


class Patience:
    """Counts the bytes that one client moves, and the time that a thread waits for it.

    Args:
        is_wanted: the function that tells whether others wait for the thread.
        most_seconds: the seconds of waiting in which the client must move ``BYTES``,
            while nobody else waits for the thread.
    """

    def __init__(
        self,
        is_wanted: Callable[[], bool] = lambda: False,
        most_seconds: float = SECONDS,
    ) -> None:
        self._is_wanted = is_wanted
        self._most_seconds = most_seconds
        self._bytes = 0
        self._seconds = 0.0

    def moved(self, size: int) -> None:
        """Note bytes that the client took or sent."""
        self._bytes += size
        if self._bytes >= BYTES:
            self._bytes, self._seconds = 0, 0.0

    def waited(self, seconds: float) -> None:
        """Note a time in which the client moved nothing.

        Raises:
            Stalled: the thread has waited long enough.
        """
        self._seconds += seconds
        most = CROWDED_SECONDS if self._is_wanted() else self._most_seconds
        if self._seconds >= most:
            raise Stalled
