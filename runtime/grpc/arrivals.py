"""The messages for which calls wait, each on a thread."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator

import grpc

from runtime.errors import InvalidInput, TooSlow

# A call's one message must come within this time, or another client gets its thread.
MESSAGE_SECONDS = 60.0


class Arrivals:
    """Waits for messages, and gives up those that do not come.

    Args:
        clock: a clock in seconds that nobody can set back.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()  # guards all below
        self._waiting: dict[grpc.ServicerContext, float] = {}
        self._given_up: set[grpc.ServicerContext] = set()
        self._streams: set[grpc.ServicerContext] = set()
        self._is_ending = False

    def only(self, requests: Iterator[bytes], context: grpc.ServicerContext) -> bytes:
        """Wait for the one message of a call.

        Raises:
            InvalidInput: the client sends none.
            TooSlow: it does not come in time.
            grpc.RpcError: the client has left.
        """
        with self._lock:
            self._waiting[context] = self._clock()
        try:
            return next(requests)
        except StopIteration:
            raise InvalidInput("the call has no message") from None
        except grpc.RpcError:
            if context in self._given_up:
                raise TooSlow("the message comes too slowly") from None
            raise
        finally:
            with self._lock:
                del self._waiting[context]
                self._given_up.discard(context)

    def following(
        self, requests: Iterator[bytes], context: grpc.ServicerContext
    ) -> Iterator[bytes]:
        """Wait for the messages of a stream, until the client or the service ends it.

        Raises:
            grpc.RpcError: the client has left, or the service ends.
        """
        while True:
            with self._lock:
                if self._is_ending:
                    return
                self._streams.add(context)
            try:
                request = next(requests)
            except StopIteration:
                return
            finally:
                with self._lock:
                    self._streams.discard(context)
            yield request

    def sweep(self) -> None:
        """Give up the calls whose message has not come in time."""
        latest = self._clock() - MESSAGE_SECONDS
        with self._lock:
            slow = [one for one, since in self._waiting.items() if since < latest]
            self._given_up.update(slow)
        for context in slow:
            context.cancel()

    def end(self) -> None:
        """End the streams that wait for a message; others end with their answer."""
        with self._lock:
            self._is_ending = True
            streams = list(self._streams)
        for context in streams:
            context.cancel()
