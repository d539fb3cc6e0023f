"""Memory for large bodies that come at the same time: counted as they come."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable

# A smaller body is not counted: connections have an end, too.
FREE_BYTES = 1 << 16
# All bodies together may have so many; or as many as two of the largest.
ALL_BYTES = 1 << 28
# One client may hold this part of that, or one of the largest: a quarter.
CLIENTS_SHARE = 4
# A body may take so many seconds, and one more for each so many bytes of it that come;
# both are counted anew after so many. A client that sends a byte now and then, or all
# but the last one, holds a connection, and no thread.
BODY_SECONDS = 60.0
_BYTES_A_SECOND = 1024
_STEP_BYTES = 1 << 16
# Where room is short, one that has been in the same step for so long makes room.
_IDLE_SECONDS = 5.0


class Held:
    """The room that one body holds.

    Args:
        client: its address.
        now: in seconds.
        give_up: called where others need the room.
    """

    __slots__ = ("client", "counted", "give_up", "mark", "marked", "size")

    def __init__(self, client: str, now: float, give_up: Callable[[], object]) -> None:
        self.client = client
        self.give_up = give_up
        self.size = 0  # that came
        self.counted = 0  # of them; 0 until it is large
        self.mark, self.marked = 0, now  # the last step: what had come, and when

    def is_slow(self, now: float) -> bool:
        """Whether it comes too slowly to be waited for."""
        allowed = BODY_SECONDS + (self.size - self.mark) / _BYTES_A_SECOND
        return now - self.marked > allowed

    def is_idle(self, now: float) -> bool:
        """Whether it may be given up for one that comes."""
        return now - self.marked >= _IDLE_SECONDS


class Room:
    """Counts bodies in, and refuses what is too much.

    Args:
        max_body_bytes: of one body.
        clock: seconds that only go on.
        all_bytes: of all bodies together, or as many as two of the largest.
    """

    def __init__(
        self,
        max_body_bytes: int,
        clock: Callable[[], float],
        all_bytes: int = ALL_BYTES,
    ) -> None:
        self._all_bytes = max(all_bytes, 2 * max_body_bytes)
        self._share = max(self._all_bytes // CLIENTS_SHARE, max_body_bytes)
        self._clock = clock
        self._lock = threading.Lock()  # of all below
        self._held: dict[Held, None] = {}  # in the order of their coming
        self._total = 0
        self._of_clients: Counter[str] = Counter()

    def take(self, held: Held, size: int) -> bool:
        """Count a piece of a body in; False if there is no room for it.

        Bodies that have stopped coming are given up for one that comes.
        """
        held.size += size
        if held.size <= FREE_BYTES:
            return True
        given_up = []
        with self._lock:
            now = self._clock()
            if held.size - held.mark >= _STEP_BYTES:
                held.mark, held.marked = held.size, now
            size = held.size - held.counted
            while (short := self._short_of(held, size)) is not None:
                idle = min(
                    (one for one in short if one.is_idle(now) and one is not held),
                    key=lambda one: one.marked,
                    default=None,
                )
                if idle is None:
                    break
                self._free(idle)
                given_up.append(idle)
            has_room = short is None
            if has_room:
                held.counted += size
                self._held[held] = None
                self._total += size
                self._of_clients[held.client] += size
        for idle in given_up:
            idle.give_up()
        return has_room

    def come(self, held: Held) -> None:
        """The body is whole, and nothing is waited for any more."""
        if held.counted:
            with self._lock:
                self._held.pop(held, None)

    def free(self, held: Held) -> None:
        """It is not in memory any more."""
        if held.counted:
            with self._lock:
                self._free(held)

    def _short_of(self, held: Held, size: int) -> list[Held] | None:
        """Bodies of which one must go for this piece; None: there is room for it."""
        if self._of_clients[held.client] + size > self._share:
            return [one for one in self._held if one.client == held.client]
        if self._total + size > self._all_bytes:
            return list(self._held)
        return None

    def _free(self, held: Held) -> None:
        self._held.pop(held, None)
        self._total -= held.counted
        self._of_clients[held.client] -= held.counted
        if not self._of_clients[held.client]:
            del self._of_clients[held.client]  # addresses are many
        held.counted = 0
