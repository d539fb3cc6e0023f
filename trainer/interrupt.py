"""Ctrl-C and SIGTERM, which end a training at a point where that does no harm."""

from __future__ import annotations

import signal
from collections.abc import Callable
from types import FrameType, TracebackType
from typing import Any, TypeVar

_Result = TypeVar("_Result")
_SIGNALS = (signal.SIGINT, signal.SIGTERM)


class Interrupted(BaseException):
    """A signal asked the process to end.

    It is no Exception, so that no library takes it for a failure of its own.

    Args:
        number: the signal's number.

    Attributes:
        advice: the end of the sentence that the user sees: how to go on.
    """

    advice = ""

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.number = number


class Interrupt:
    """A context in which the first SIGINT or SIGTERM raises ``Interrupted``.

    Later signals are ignored, because a second Ctrl-C would stop the clean-up after the
    first. Use it in the main thread.
    """

    def __init__(self) -> None:
        self._number: int | None = None
        self._held = False
        self._previous: dict[int, Any] = {}

    def __enter__(self) -> Interrupt:
        for number in _SIGNALS:
            # A shell starts background jobs with SIGINT ignored, and it must stay so.
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
        # An error after the signal is a consequence of the signal.
        raised = self._number if not self._held else None
        if raised is not None and isinstance(error, Exception):
            raise Interrupted(raised) from error

    def check(self) -> None:
        """Raise if a signal came, even if it was held or its exception was lost.

        Python drops an exception that is raised inside a finalizer.
        """
        if self._number is not None:
            raise Interrupted(self._number)

    def hold(self) -> None:
        """Remember a signal from now on, and do not raise."""
        self._held = True

    def run_held(self, work: Callable[[], _Result]) -> _Result:
        """Do work that must not be interrupted, and then raise if a signal came."""
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
