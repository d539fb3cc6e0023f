"""Signals that end processes, by their names."""

from __future__ import annotations

import signal


def signal_name(number: int) -> str:
    """The name of a signal, such as ``SIGKILL`` for 9; its number if it has no name."""
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"
