"""The bodies of requests, which come piece by piece."""

from __future__ import annotations

import io
import threading
from collections import deque
from collections.abc import Callable
from typing import Any

from runtime.errors import InvalidInput, TooSlow
from runtime.server.patience import TICK_SECONDS, Patience, Stalled

# No more of a body is taken from the network while so many bytes wait to be read.
WAITING_BYTES = 1 << 18


class BodyStream(io.RawIOBase):
    """A body that is read as it comes, by a thread that may wait.

    Args:
        patience: the limit on the time that the thread waits for the client.
        hold: the function that stops, with True, and goes on, with False, to take bytes
            from the network; any thread may call it.
    """

    def __init__(self, patience: Patience, hold: Callable[[bool], object]) -> None:
        self._patience = patience
        self._hold = hold
        self._changed = threading.Condition()  # guards all below
        self._pieces: deque[bytes] = deque()
        self._waiting = 0
        self._is_held = False
        self._is_whole = False
        self._is_cut = False
        self._ready = memoryview(b"")  # the reading thread's own

    @property
    def is_whole(self) -> bool:
        """Whether the whole body has come, read or not."""
        return self._is_whole

    def come(self, piece: bytes) -> None:
        """Take a piece, in the thread that reads the network."""
        with self._changed:
            self._pieces.append(piece)
            self._waiting += len(piece)
            hold = self._waiting > WAITING_BYTES and not self._is_held
            self._is_held = self._is_held or hold
            self._changed.notify()
        if hold:
            self._hold(True)

    def end(self, *, is_whole: bool) -> None:
        """Note that no more comes, because all is there or the client has left."""
        with self._changed:
            self._is_whole = self._is_whole or is_whole
            self._is_cut = not self._is_whole
            self._changed.notify()

    def readable(self) -> bool:
        """Tell that the stream can be read."""
        return True

    def readinto(self, target: Any) -> int:
        """Fill ``target`` with bytes that have come, or with the next piece.

        Raises:
            InvalidInput: the client has left.
            TooSlow: the client sends almost nothing.
        """
        if not self._ready:
            self._ready = memoryview(self._next())
        size = min(len(target), len(self._ready))
        target[:size] = self._ready[:size]
        self._ready = self._ready[size:]
        return size

    def _next(self) -> bytes:
        """Return the next piece; an empty one after the last."""
        with self._changed:
            while not self._pieces:
                if self._is_whole:
                    return b""
                if self._is_cut:
                    raise InvalidInput("the body is cut short")
                if self._changed.wait(TICK_SECONDS):
                    continue
                try:
                    self._patience.waited(TICK_SECONDS)
                except Stalled as ex:
                    raise TooSlow("the body comes too slowly") from ex
            piece = self._pieces.popleft()
            self._waiting -= len(piece)
            go_on = self._is_held and self._waiting <= WAITING_BYTES // 2
            self._is_held = self._is_held and not go_on
        if go_on:
            self._hold(False)
        self._patience.moved(len(piece))
        return piece
