"""A background thread that starts when it is first needed."""

from __future__ import annotations

import threading
from collections.abc import Callable


class DaemonThread:
    """One daemon thread, which starts on demand, and again if it does not run.

    A server may fork its workers after the application was built, and a fork does not
    copy threads. This thread starts with the first work, so each process that has work
    has the thread. It never keeps the process from ending.

    Args:
        target: the thread's function; it may return, and is then called anew by the
            next ``start``.
        name: the thread's name.
    """

    def __init__(self, target: Callable[[], object], name: str) -> None:
        self._target = target
        self._name = name
        self._lock = threading.Lock()  # so that two requests start one thread
        self._thread: threading.Thread | None = None

    @property
    def was_started(self) -> bool:
        """Whether the thread was ever started, here or before this process's fork."""
        return self._thread is not None

    def start(self) -> None:
        """Start the thread if it does not run; several threads may call this at once.

        After a fork, Python reports the parent's threads as not alive.
        """
        if self._is_alive():
            return
        with self._lock:
            if not self._is_alive():
                self._thread = threading.Thread(
                    target=self._target, name=self._name, daemon=True
                )
                self._thread.start()

    def join(self, seconds: float) -> bool:
        """Wait at most so long for the thread to end; tell whether it has ended."""
        if self._thread is not None:
            self._thread.join(seconds)
        return not self._is_alive()

    def _is_alive(self) -> bool:
        return self._thread is not None and self._thread.is_alive()
