"""The places of calls, each of which keeps a thread while it waits for its client."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager

from runtime.access.gate import Access
from runtime.errors import Overloaded


class Places:
    """Limits the calls and streams that wait at a time.

    Anybody may ask whether the server lives, and for its messages. Such calls have
    places of their own, and so clients without a token take no thread of others.

    Args:
        streams: the most streams at a time of methods that want a token.
        open_calls: the most calls at a time of methods that anybody may ask, and the
            most such streams.
        apart: lets another thread take the place of one that waits for its client.
    """

    def __init__(
        self,
        streams: int,
        open_calls: int,
        apart: Callable[[], AbstractContextManager[None]] = contextlib.nullcontext,
    ) -> None:
        self._apart = apart
        self._streams = threading.Semaphore(streams)
        self._open_calls = threading.Semaphore(open_calls)
        self._open_streams = threading.Semaphore(open_calls)

    def of_call(self, access: Access) -> AbstractContextManager[None]:
        """Take the place of a call of one message, if the method is for anybody.

        Raises:
            Overloaded: all are taken.
        """
        if access is not Access.OPEN:
            return contextlib.nullcontext()
        return self._taken(self._open_calls, "calls of this kind")

    def of_stream(self, access: Access) -> AbstractContextManager[None]:
        """Take the place of a stream.

        Raises:
            Overloaded: all are taken.
        """
        is_open = access is Access.OPEN
        return self._taken(self._open_streams if is_open else self._streams, "streams")

    @contextlib.contextmanager
    def _taken(self, places: threading.Semaphore, what: str) -> Iterator[None]:
        """Take one of some places, and give it back."""
        if not places.acquire(blocking=False):
            raise Overloaded(f"too many {what} at once; try again in a moment")
        try:
            with self._apart():
                yield
        finally:
            places.release()
