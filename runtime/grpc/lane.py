"""The way of a call's prediction into the thread that answers all requests."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Protocol, TypeVar

from runtime.telemetry.journey import Deadline

_Result = TypeVar("_Result")


class Lane(Protocol):
    """The thread of all requests, in which predictions of all doors run together."""

    def ask(
        self, call: Callable[[], _Result], deadline: Deadline, size: int, key: str
    ) -> _Result:
        """Make a call there, and wait for it; raise what it raises.

        Args:
            call: the call.
            deadline: the time after which nobody waits for its result.
            size: the bytes of the request.
            key: the name under which a large request waits; only so many of one name
                may wait.
        """


class OwnThread:
    """A lane where there is no such thread: each call is made by its own thread."""

    def ask(
        self, call: Callable[[], _Result], deadline: Deadline, size: int, key: str
    ) -> _Result:
        """Make a call."""
        return call()


class OrTheirs:
    """A lane that spares a call which is alone the way into the other thread.

    The way there and back takes two turns of the system's scheduler, which is worth
    while only if there is a run to join.

    Args:
        theirs: the thread of all requests.
    """

    def __init__(self, theirs: Lane) -> None:
        self._theirs = theirs
        self._alone = threading.Lock()

    def ask(
        self, call: Callable[[], _Result], deadline: Deadline, size: int, key: str
    ) -> _Result:
        """Make a call here if no other one is made here, and else there."""
        if not self._alone.acquire(blocking=False):
            return self._theirs.ask(call, deadline, size, key)
        try:
            return call()
        finally:
            self._alone.release()
