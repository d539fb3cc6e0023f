"""Ctrl-C and SIGTERM: they end a training where that does no harm."""

from __future__ import annotations

import signal
from collections.abc import Callable
from types import FrameType, TracebackType
from typing import Any, TypeVar

_Result = TypeVar("_Result")
_SIGNALS = (signal.SIGINT, signal.SIGTERM)


class Interrupted(BaseException):
    """The process was asked to end.

    Not an Exception, so that no library takes it for a failure of its own.

    Args:
        number: the signal's.
    """

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.number = number


class Interrupt:
    """While open, a first SIGINT or SIGTERM raises ``Interrupted``.

    Later ones are passed over: an impatient second Ctrl-C would break the cleaning up
    after the first. Use it in the main thread.
    """

    def __init__(self) -> None:
        self._number: int | None = None
        self._held = False
        self._previous: dict[int, Any] = {}

    def __enter__(self) -> Interrupt:
        for number in _SIGNALS:
            # A shell starts background jobs with SIGINT ignored, and means it.
            if signal.getsignal(number) is not signal.SIG_IGN:
                self._previous[number] = signal.signal(number, self._receive)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        for number, handler in self._previous.items():
            signal.signal(number, handler)
        # What goes wrong once a signal was raised is its consequence.
        raised = self._number if not self._held else None
        if raised is not None and isinstance(error, Exception):
            raise Interrupted(raised) from error

    def check(self) -> None:
        """Raise if a signal came, also one that was held or lost on the way.

        Python drops what is raised inside a finalizer.
        """
        if self._number is not None:
            raise Interrupted(self._number)

    def hold(self) -> None:
        """From now on only remember a signal."""
        self._held = True

    def run_held(self, work: Callable[[], _Result]) -> _Result:
        """Do work that must not be broken off, then raise if a signal came."""
        self.hold()
        result = work()
        self._held = False
        self.check()
        return result

    def _receive(self, number: int, frame: FrameType | None) -> None:
        if self._number is not None:
            return
        self._number = number
        if not self._held:
            raise Interrupted(number)
