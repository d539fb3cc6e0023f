"""A reply that a thread sends piece by piece, as fast as its client takes it."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable

from runtime.server.connection import Connection
from runtime.server.patience import TICK_SECONDS, Patience
from runtime.server.replies import FAILED
from runtime.server.request import Headers, Request

# A piece of so many bytes is given to the network at a time.
_PIECE_BYTES = 1 << 16


class ClientLeft(Exception):
    """The client has left before its reply was whole."""


class Outlet:
    """The way of a streamed reply from a thread to its client.

    Args:
        request: the request that is answered.
        connection: its connection; it belongs to the network's thread.
        wake: the function that makes a call in the network's thread.
        patience: the limit on the time that the thread waits for the client.
    """

    def __init__(
        self,
        request: Request,
        connection: Connection,
        wake: Callable[[Callable[[], object]], object],
        patience: Patience,
    ) -> None:
        self._request = request
        self._connection = connection
        self._wake = wake
        self._patience = patience
        self._is_taken = threading.Event()
        self._is_lost = False
        self._is_begun = False
        self._is_chunked = False
        self._failure: Exception | None = None

    def send_all(self, status: int, headers: Headers, pieces: Iterable[bytes]) -> None:
        """Send a reply; this thread waits while the client is slow.

        Args:
            status: the status.
            headers: the headers, in which the length may be told.
            pieces: the body; it is closed at the end, if it can be.

        Raises:
            Stalled: the client takes almost nothing; the reply is cut short.
            Exception: the pieces raised it, and the reply is cut short; or the head
                cannot be sent, and the reply is 500.
        """
        is_whole = False
        try:
            self._give(lambda: self._start(status, headers))
            for piece in pieces:
                view = memoryview(piece)
                for at in range(0, len(view), _PIECE_BYTES):
                    part = bytes(view[at : at + _PIECE_BYTES])
                    self._give(lambda part=part: self._send(part))  # type: ignore[misc]
            is_whole = True
        except ClientLeft:
            pass
        finally:
            close = getattr(pieces, "close", None)
            if close:
                close()
            self._wake(lambda: self._end(is_whole))

    def drained(self) -> None:
        """Let the thread go on; the network's thread calls it."""
        self._is_taken.set()

    def lost(self) -> None:
        """Note that the client has left; the network's thread calls it."""
        self._is_lost = True
        self._is_taken.set()

    def _give(self, call: Callable[[], None]) -> None:
        """Make a call in the network's thread, and wait until there is room again."""
        self._is_taken.clear()
        self._wake(lambda: self._make(call))
        unsent = None
        while not self._is_taken.wait(TICK_SECONDS):
            before, unsent = unsent, self._connection.unsent()
            if before is not None and unsent < before:
                self._patience.moved(before - unsent)
            else:
                self._patience.waited(TICK_SECONDS)
        if self._failure is not None:
            raise self._failure
        if self._is_lost:
            raise ClientLeft
        self._patience.moved(_PIECE_BYTES)

    # The network's thread calls the methods below.

    def _make(self, call: Callable[[], None]) -> None:
        # The thread would wait for nothing if its call failed here.
        try:
            call()
        except Exception as ex:
            self._failure = ex
            self._is_taken.set()

    def _start(self, status: int, headers: Headers) -> None:
        self._connection.outlet = self
        if self._connection.is_lost:
            self._note()
            return
        self._is_chunked = self._connection.start_reply(self._request, status, headers)
        self._is_begun = True
        self._note()

    def _send(self, part: bytes) -> None:
        self._connection.send(part, is_chunked=self._is_chunked)
        self._note()

    def _note(self) -> None:
        # A connection may be lost while it is clogged, and between two pieces.
        if self._connection.is_lost:
            self.lost()
        elif not self._connection.is_clogged:
            self._is_taken.set()

    def _end(self, is_whole: bool) -> None:
        if self._failure is not None and not self._is_begun:
            self._connection.outlet = None
            headers = self._request.own_headers()
            self._connection.reply(self._request, 500, headers, FAILED)
            return
        self._connection.end_reply(
            self._request, is_chunked=self._is_chunked, is_whole=is_whole
        )
