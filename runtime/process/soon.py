"""Work that is done soon, once for all who want it until then."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

from runtime.process.daemon_thread import DaemonThread


class Soon:
    """Does a piece of work some seconds after somebody wants it, in its own thread.

    A caller looks at ``is_due`` first, because that takes a hundredth of the time
    of a call that wakes a thread.

    Args:
        work: the work; it does all that is there when it begins.
        seconds: the seconds that it waits, so that others may want it, too.
        name: the thread's name.

    Attributes:
        is_due: whether the work will begin later than now.
        seconds: the seconds that it waits.
    """

    def __init__(self, work: Callable[[], object], seconds: float, name: str) -> None:
        self._work = work
        self.seconds = seconds
        self.is_due = False
        self._wanted = threading.Event()
        self._thread = DaemonThread(self._work_for_ever, name)

    def want(self) -> None:
        """Want the work; several threads may call this at once."""
        self._thread.start()
        self.is_due = True
        self._wanted.set()

    def _work_for_ever(self) -> None:
        while True:
            self._wanted.wait()
            time.sleep(self.seconds)
            self._wanted.clear()
            self.is_due = False
            self._work()
