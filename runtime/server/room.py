"""The memory for large bodies that come at the same time; each piece is counted."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable

# A smaller body is not counted, because the number of connections is limited, too.
FREE_BYTES = 1 << 16
# All bodies together may have so many bytes, or as many as two of the largest body.
ALL_BYTES = 1 << 28
# One client may hold a quarter of that, or one of the largest body.
CLIENTS_SHARE = 4
# A body may take BODY_SECONDS, and one second more for each _BYTES_A_SECOND that come.
# Both are counted anew after _STEP_BYTES. A client that sends a byte now and then, or
# all bytes but the last, holds a connection, but no thread.
BODY_SECONDS = 60.0
_BYTES_A_SECOND = 1024
_STEP_BYTES = 1 << 16
# If there is no room, a body that has been in one step for so long is given up.
_IDLE_SECONDS = 5.0


class Held:
    """The room that one body holds.

    Args:
        client: the client's address.
        now: the time in seconds.
        give_up: the function that is called when others need the room.
    """

    __slots__ = ("client", "counted", "give_up", "mark", "marked", "size")

    def __init__(self, client: str, now: float, give_up: Callable[[], object]) -> None:
        self.client = client
        self.give_up = give_up
        self.size = 0  # the bytes that came
        self.counted = 0  # the bytes that are counted; 0 until the body is large
        self.mark, self.marked = 0, now  # the bytes and the time of the last step

    def is_slow(self, now: float) -> bool:
        """Tell whether the body comes too slowly."""
        allowed = BODY_SECONDS + (self.size - self.mark) / _BYTES_A_SECOND
        return now - self.marked > allowed

    def is_idle(self, now: float) -> bool:
        """Tell whether the body may be given up for another one that comes."""
        return now - self.marked >= _IDLE_SECONDS


class Room:
    """Counts the bytes of bodies, and refuses those for which there is no room.

    Args:
        max_body_bytes: the most bytes of one body.
        clock: a clock in seconds that nobody can set back.
        all_bytes: the most bytes of all bodies together; two of the largest body always
            have room.
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
        self._lock = threading.Lock()  # guards all below
        self._held: dict[Held, None] = {}  # in the order in which they came
        self._total = 0
        self._of_clients: Counter[str] = Counter()

    def take(self, held: Held, size: int) -> bool:
        """Count a piece of a body; return False if there is no room for it.

        Bodies that have stopped coming are given up for a body that comes.
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
        """Note that the body is whole, so that it is not given up any more."""
        if held.counted:
            with self._lock:
                self._held.pop(held, None)

    def free(self, held: Held) -> None:
        """Free the room of a body that is not in memory any more."""
        if held.counted:
            with self._lock:
                self._free(held)

    def _short_of(self, held: Held, size: int) -> list[Held] | None:
        """List the bodies of which one must go for a piece; None if there is room."""
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
            del self._of_clients[held.client]  # there are many addresses
        held.counted = 0
