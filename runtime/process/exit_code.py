"""Words for the end of a process, from its exit code."""

from __future__ import annotations

import signal


def signal_of(code: int | None) -> str:
    """Name the signal that ended a process, such as ``SIGKILL``; empty if none did.

    Args:
        code: the exit code. For a signal it is below 0 from ``subprocess`` and
            ``multiprocessing``, and 128 plus the signal from a shell and from
            ``runtime.process.guard``. None means that the guard was killed too.
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
    """Return the end of a sentence that tells how a process ended.

    Args:
        code: see ``signal_of``.
        verb: the verb for the action of a signal, such as ``ended``.
    """
    if code is None:
        return "was killed with its guard"
    if name := signal_of(code):
        return f"was {verb} by {name}"
    return f"ended with exit code {code}"
