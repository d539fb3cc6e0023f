"""Signals, among processes that the terminal and process managers signal too."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from multiprocessing import resource_tracker

from granian._granian import WorkerSignal

# The terminal sends them to every process of the service; the parent decides.
PARENTS_SIGNALS = (signal.SIGINT, signal.SIGHUP)


@contextmanager
def held_back(numbers: tuple[signal.Signals, ...]) -> Iterator[None]:
    """Let signals wait; processes that start meanwhile never get them."""
    # Its own start, which the first process brings about, would end the waiting.
    resource_tracker.ensure_running()
    before = signal.pthread_sigmask(signal.SIG_BLOCK, numbers)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def take_signals() -> WorkerSignal:
    """Granian's own takes one signal well, and hangs at two.

    A process manager may send SIGTERM to every process, and the parent sends it too.
    """
    asked = WorkerSignal()
    first = threading.Lock()

    def ask(*_: object) -> None:
        if first.acquire(blocking=False):
            aside(asked.set)

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, ask)
    return asked


def aside(call: Callable[[], None]) -> None:
    """Call in a thread: a handler would wait for a lock that the code below it has."""
    threading.Thread(target=call).start()
