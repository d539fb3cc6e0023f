"""The bodies of requests; granian gives each piece when it has come."""

from __future__ import annotations

import io
import threading
from collections.abc import Callable
from typing import Any, Protocol

from runtime.errors import InvalidInput, TooSlow
from runtime.server.patience import TICK_SECONDS, Patience, Stalled


class Awaited(Protocol):
    """A result that granian will have: a future of its own kind."""

    def add_done_callback(
        self, call: Callable[[Awaited], object], *, context: object
    ) -> None:
        """Call a function when the result is there."""

    def result(self) -> bytes:
        """Return the result, or raise its error, also when the client has left."""

    def cancel(self) -> bool:
        """Wait for the result no longer."""


class Pieces(Protocol):
    """A body; ``__anext__`` gives its pieces, and an empty piece after the last."""

    def __anext__(self) -> Awaited: ...


class Gathering:
    """A body that is gathered until it is whole; no thread waits for it.

    Args:
        pieces: granian's pieces of the body.
        enough: the number of bytes after which no more is read.
        take: the function that is told the size of each piece. If it returns False, no
            more is read.
        on_end: the function that is called once with the bytes that came, which may be
            cut short. It gets None if the client has left, or if no more is read.

    Attributes:
        is_given_up: whether the body came too slowly.
        is_refused: whether there was no room for the body.
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
        """Wait for the next piece."""
        self._awaited = self._pieces.__anext__()
        self._awaited.add_done_callback(self._take, context=None)

    def give_up(self) -> None:
        """Wait for the body no longer."""
        awaited = self._awaited
        if awaited:
            self.is_given_up = True
            awaited.cancel()

    def _take(self, awaited: Awaited) -> None:
        self._awaited = None
        try:
            piece = awaited.result()
        # A cancelled future raises an error that is no Exception.
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
        pieces: granian's pieces of the body.
        patience: the limit on the time that the thread waits for them.
    """

    def __init__(self, pieces: Pieces, patience: Patience) -> None:
        self._pieces = pieces
        self._patience = patience
        self._ready = memoryview(b"")
        self._is_over = False

    def readable(self) -> bool:
        """Tell that the stream can be read."""
        return True

    def readinto(self, target: Any) -> int:
        """Fill ``target`` with bytes that have come, or with the next piece.

        Raises:
            InvalidInput: the client has left.
            TooSlow: the client sends almost nothing.
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
