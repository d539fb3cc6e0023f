"""The way of a call's prediction into the thread that answers all requests."""

from __future__ import annotations

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
