"""How long a thread waits for a client that takes, or sends, next to nothing."""

from __future__ import annotations

from collections.abc import Callable

# A client must move so many bytes within so many seconds that are spent on waiting for
# it: one KiB a second.
BYTES = 1 << 16
SECONDS = 60.0
# While others wait for the thread, one that moves less in this time makes room.
CROWDED_SECONDS = 2.0
# How often a thread that waits looks whether it should still.
TICK_SECONDS = 0.25


class Stalled(Exception):
    """The client has been waited for long enough."""


class Patience:
    """Counts the bytes that one client moves, and the time that a thread waits for it.

    Args:
        is_wanted: whether others wait for the thread.
        most_seconds: of waiting in which the client must move ``BYTES``, while nobody
            else does.
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
        """Note time in which it moved nothing.

        Raises:
            Stalled: it was too much.
        """
        self._seconds += seconds
        most = CROWDED_SECONDS if self._is_wanted() else self._most_seconds
        if self._seconds >= most:
            raise Stalled
