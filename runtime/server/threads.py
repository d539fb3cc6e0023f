"""Threads for work that is not quick, with a limited queue."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial


class Threads:
    """Threads that take calls in their order.

    Attributes:
        max_waiting: the argument of this name.

    Args:
        name: the name of the threads.
        count: the number of threads.
        max_waiting: the most calls with one key that may wait, beside those that run.
    """

    def __init__(self, name: str, count: int, max_waiting: int) -> None:
        self._pool = ThreadPoolExecutor(count, name)
        self._count = count
        self.max_waiting = max_waiting
        self._lock = threading.Lock()  # guards both below
        self._waiting: Counter[str] = Counter()
        self._running = 0

    @property
    def is_wanted(self) -> bool:
        """Tell whether calls wait."""
        return bool(self._waiting)

    def offer(self, key: str, call: Callable[[], object]) -> bool:
        """Let a thread make a call, which raises nothing; False if too many wait."""
        with self._lock:
            # A free thread counts as taken from here on, however late it begins.
            if self._running + self._waiting.total() < self._count:
                self._running += 1
                run = self._run
            elif self._waiting[key] < self.max_waiting:
                self._waiting[key] += 1
                run = partial(self._run_waiting, key)
            else:
                return False
        self._pool.submit(run, call)
        return True

    def _run_waiting(self, key: str, call: Callable[[], object]) -> None:
        with self._lock:
            self._waiting[key] -= 1
            if not self._waiting[key]:
                del self._waiting[key]  # clients may invent any number of keys
            self._running += 1
        self._run(call)

    def _run(self, call: Callable[[], object]) -> None:
        try:
            call()
        finally:
            with self._lock:
                self._running -= 1
