"""A thread in the background that starts when it is first needed."""

from __future__ import annotations

import threading
from collections.abc import Callable


class DaemonThread:
    """One daemon thread, which starts on demand, and again where it does not run.

    A server may fork its workers after the application was built, and threads do not
    live through a fork. A thread that starts with the first work, and not before, is
    there in each process that has some. It never keeps the process from ending.

    Args:
        target: the thread's function; it may return, and is then called anew by the
            next ``start``.
        name: the thread's.
    """

    def __init__(self, target: Callable[[], object], name: str) -> None:
        self._target = target
        self._name = name
        self._lock = threading.Lock()  # so that two requests start one thread
        self._thread: threading.Thread | None = None

    @property
    def was_started(self) -> bool:
        """Whether it was ever started, here or before this process was forked."""
        return self._thread is not None

    def start(self) -> None:
        """Start the thread if it does not run; safe between threads, cheap if it does.

        After a fork, Python says of the parent's threads that they are not alive.
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
        """Wait until the thread has ended, at most so long; whether it has."""
        if self._thread is not None:
            self._thread.join(seconds)
        return not self._is_alive()

    def _is_alive(self) -> bool:
        return self._thread is not None and self._thread.is_alive()
