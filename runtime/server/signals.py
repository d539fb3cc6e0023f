"""The signals of the service's processes, to which terminals and managers send, too."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from multiprocessing import resource_tracker

# A terminal sends these to every process of the service, but only the parent obeys.
PARENTS_SIGNALS = (signal.SIGINT, signal.SIGHUP)


@contextmanager
def held_back(numbers: tuple[signal.Signals, ...]) -> Iterator[None]:
    """Let signals wait; processes that start meanwhile never get them."""
    # The first process would start the tracker, whose start unblocks the signals.
    resource_tracker.ensure_running()
    before = signal.pthread_sigmask(signal.SIG_BLOCK, numbers)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def hear(calls: Mapping[signal.Signals, Callable[[], None]]) -> None:
    """Call a signal's function for each one that comes, in a thread of its own.

    Python runs a signal's handler later, in the main thread. If that thread is about to
    wait for a lock, the handler does not run before the lock is free: a worker that got
    SIGTERM right after its start did not end, and was killed 20 s later. A handler that
    takes a lock could also wait for the code that it interrupted. So Python writes the
    signal's number into a pipe at once, and a thread that does nothing else reads it.
    """
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    for number in calls:
        signal.signal(number, _leave_it)
    signal.set_wakeup_fd(writer, warn_on_full_buffer=False)
    threading.Thread(target=_listen, args=(reader, calls), daemon=True).start()


def _leave_it(*_: object) -> None:
    """Do nothing; without a handler Python writes no byte into the pipe."""


def _listen(reader: int, calls: Mapping[signal.Signals, Callable[[], None]]) -> None:
    while number := os.read(reader, 1):
        # Python writes the signals of other handlers, too.
        if (call := calls.get(signal.Signals(number[0]))) is not None:
            call()
