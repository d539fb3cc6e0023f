"""Requests' bodies as granian gives them: in pieces, each when it has come."""

from __future__ import annotations

import io
import threading
from collections.abc import Callable
from typing import Any, Protocol

from runtime.errors import InvalidInput, TooSlow
from runtime.server.patience import TICK_SECONDS, Patience, Stalled


class Awaited(Protocol):
    """What granian will have: a future of its own kind."""

    def add_done_callback(
        self, call: Callable[[Awaited], object], *, context: object
    ) -> None:
        """Have a call made when it is there."""

    def result(self) -> bytes:
        """What it is; raises what went wrong, the client's end too."""

    def cancel(self) -> bool:
        """Wait for it no longer."""


class Pieces(Protocol):
    """A body; its pieces come by ``__anext__``, and after the last an empty one."""

    def __anext__(self) -> Awaited: ...


class Gathering:
    """A body that is gathered until it is whole; no thread waits for it.

    Args:
        pieces: of granian's.
        enough: bytes, after which no more is read.
        take: told the size of each piece; False, and no more is read.
        on_end: called once with what came, which may have been cut short; or with None,
            if the client is gone, or no more is read.

    Attributes:
        is_given_up: it came too slowly.
        is_refused: there was no room for it.
    """

    def __init__(
        self,
        pieces: Pieces,
        enough: int,
        take: Callable[[int], bool],
        on_end: Callable[[bytes | None], object],
    ) -> None:
        self._pieces = pieces
        self._enough = enough
        self._room_for = take
        self._on_end = on_end
        self.is_given_up = False
        self.is_refused = False
        self._parts: list[bytes] = []
        self._awaited: Awaited | None = None
        self._size = 0

    def start(self) -> None:
        """Read on."""
        self._awaited = self._pieces.__anext__()
        self._awaited.add_done_callback(self._take, context=None)

    def give_up(self) -> None:
        """Wait for it no longer."""
        awaited = self._awaited
        if awaited:
            self.is_given_up = True
            awaited.cancel()

    def _take(self, awaited: Awaited) -> None:
        self._awaited = None
        try:
            piece = awaited.result()
        # A cancelled one is no Exception.
        except BaseException:
            self._on_end(None)
            return
        self._size += len(piece)
        if not self._room_for(len(piece)):
            self.is_refused = True
            self._parts.clear()
            self._on_end(None)
        elif piece and self._size < self._enough:
            self._parts.append(piece)
            self.start()
        else:
            self._on_end(b"".join([*self._parts, piece]) if self._parts else piece)


class BodyStream(io.RawIOBase):
    """A body that is read as it comes, by a thread that may wait.

    Args:
        pieces: of granian's.
        patience: how long they are waited for.
    """

    def __init__(self, pieces: Pieces, patience: Patience) -> None:
        self._pieces = pieces
        self._patience = patience
        self._ready = memoryview(b"")
        self._is_over = False

    def readable(self) -> bool:
        """It is."""
        return True

    def readinto(self, target: Any) -> int:
        """Fill ``target`` with what has come, or with the next piece.

        Raises:
            InvalidInput: the client went away.
            TooSlow: it sends next to nothing.
        """
        if not self._ready and not self._is_over:
            self._ready = memoryview(self._next())
            self._is_over = not self._ready
        size = min(len(target), len(self._ready))
        target[:size] = self._ready[:size]
        self._ready = self._ready[size:]
        return size

    def _next(self) -> bytes:
        awaited = self._pieces.__anext__()
        is_there = threading.Event()
        awaited.add_done_callback(lambda _: is_there.set(), context=None)
        while not is_there.wait(TICK_SECONDS):
            try:
                self._patience.waited(TICK_SECONDS)
            except Stalled as ex:
                awaited.cancel()
                raise TooSlow("the body comes too slowly") from ex
        try:
            piece = awaited.result()
        except Exception as ex:
            raise InvalidInput("the body is cut short") from ex
        self._patience.moved(len(piece))
        return piece
