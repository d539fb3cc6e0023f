"""Signals, among processes that the terminal and process managers signal too."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable, Iterable, Iterator
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


def take_signals(on_first: Callable[[], object]) -> WorkerSignal:
    """What ends granian's server in this process, at SIGTERM or SIGINT.

    Set twice, it hangs; and a process manager may send SIGTERM to every process, and
    the parent sends it too.

    Args:
        on_first: called before.
    """
    asked = WorkerSignal()
    first = threading.Lock()

    def ask() -> None:
        if first.acquire(blocking=False):
            on_first()
            asked.set()

    hear((signal.SIGTERM, signal.SIGINT), ask)
    return asked


def hear(numbers: Iterable[signal.Signals], call: Callable[[], None]) -> None:
    """Call, in a thread of its own, for each of these signals that comes.

    Python's handlers run in the main thread when it gets to it. What comes while that
    thread goes to wait for a lock is not seen before the lock is free: a SIGTERM right
    after the start had a worker killed 20 s later. And a handler that takes a lock
    would wait for the code below it. A byte in a pipe is written at once, and read by a
    thread that has nothing else to do.
    """
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    for number in numbers:
        signal.signal(number, _leave_it)
    signal.set_wakeup_fd(writer, warn_on_full_buffer=False)
    threading.Thread(target=_listen, args=(reader, call), daemon=True).start()


def _leave_it(*_: object) -> None:
    """Without a handler there is no byte."""


def _listen(reader: int, call: Callable[[], None]) -> None:
    while os.read(reader, 1):
        call()
