"""How a process ended, told by its exit code."""

from __future__ import annotations

import signal


def signal_of(code: int | None) -> str:
    """The signal that ended a process, such as ``SIGKILL``; empty if none did.

    Args:
        code: below 0 for a signal, as ``subprocess`` and ``multiprocessing`` have it;
            or 128 and the signal, as a shell and ``runtime.process.guard`` have it.
            None is of a process whose guard was killed too.
    """
    if code is None:
        return ""
    number = -code if code < 0 else code - 128
    if not 0 < number < signal.NSIG:
        return ""
    try:
        return signal.Signals(number).name
    except ValueError:  # a number without a name, between two real-time signals
        return f"signal {number}"


def how_it_ended(code: int | None, verb: str = "ended") -> str:
    """How a process ended: the end of a sentence about it.

    Args:
        code: see ``signal_of``.
        verb: what a signal did to it.
    """
    if code is None:
        return "was killed with its guard"
    if name := signal_of(code):
        return f"was {verb} by {name}"
    return f"ended with exit code {code}"
