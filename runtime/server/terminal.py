"""The terminal of a process: its end comes as SIGHUP, too."""

from __future__ import annotations

import os


class Terminal:
    """Tells a terminal that was closed from somebody who sends SIGHUP."""

    def __init__(self) -> None:
        self._was_there = _is_there()

    def is_lost(self) -> bool:
        """Tell whether the terminal was closed since the last look."""
        was_there, self._was_there = self._was_there, _is_there()
        return was_there and not self._was_there


def _is_there() -> bool:
    """Tell whether this process has a terminal; the kernel takes a closed one away."""
    try:
        os.close(os.open("/dev/tty", os.O_RDWR | os.O_NOCTTY))
    except OSError:
        return False
    return True
