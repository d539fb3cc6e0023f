"""A hub made by hand: its turns end when a test says so."""

import threading
from collections import deque
from concurrent.futures import ThreadPoolExecutor

from greenlet import getcurrent

from runtime.lane import Fiber
from runtime.telemetry.journey import Deadline

PATIENCE = 30


class Hub:
    """The test's own thread, and one other thread that works for it.

    Attributes:
        offered: the keys of the calls that were handed to the thread.
        refuses: whether no more calls are taken.
        timers: the times and calls that were asked for.
        free: the greenlets whose request is answered.
    """

    def __init__(self):
        self.pool = ThreadPoolExecutor(1)
        self.offered = []
        self.refuses = False
        self.timers = []
        self.free = []
        self._calls = deque()
        self._is_there = threading.Semaphore(0)

    def offer(self, key, call):
        if self.refuses:
            return False
        self.offered.append(key)
        self.pool.submit(call)
        return True

    def most_waiting(self):
        return 7

    def soon(self, call):
        self._calls.append(call)
        self._is_there.release()

    wake = soon

    def at(self, when, call):
        self.timers.append((when, call))
        return lambda: self.timers.remove((when, call))

    def turn(self):
        """Make the next call that was asked for."""
        assert self._is_there.acquire(timeout=PATIENCE)
        self._calls.popleft()()

    def begin(self, run, deadline=None):
        """Begin a request; return its greenlet."""
        lane = self.free.pop() if self.free else Fiber(self, getcurrent(), self.free)
        lane.begin(lambda _: run(), None, deadline or Deadline())
        return lane


def run_in_lane(call):
    """Make a call as a quick request; return its result, and the keys of hand-overs."""
    hub, results, errors = Hub(), [], []

    def run():
        try:
            results.append(call())
        except Exception as ex:
            errors.append(ex)

    lane = hub.begin(run)
    while lane not in hub.free:
        hub.turn()
    hub.pool.shutdown()
    if errors:
        raise errors[0]
    return results[0], hub.offered
