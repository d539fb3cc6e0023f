"""The threads of calls: few, because threads that take turns cost more than they give.

A quick call keeps a thread busy. Two threads answer 64 callers with a quarter less of
the processor than sixteen do, since all take turns in one interpreter. A slow call, or
a message that does not come, keeps a thread waiting, and then others must go on.
"""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, Future
from queue import SimpleQueue
from typing import Any, TypeVar

_Result = TypeVar("_Result")

# If no call has ended for so long while others wait, these get threads of their own.
STUCK_SECONDS = 0.02


class Threads(Executor):
    """Runs calls in the order in which they come; grpcio brings them.

    Args:
        few: the number of threads while all calls are quick.
        most: the most threads.
        sleep: waits for some seconds.
    """

    def __init__(
        self, few: int, most: int, sleep: Callable[[float], object] = time.sleep
    ) -> None:
        self._few = few
        self._most = most
        self._sleep = sleep
        self._queue: SimpleQueue[Callable[[], object]] = SimpleQueue()
        self._lock = threading.Lock()  # guards the numbers below
        self._threads = 0
        self._idle = 0
        self._apart = 0  # the threads of calls that take long by their nature
        self._ended = 0  # the calls that have ended
        self._waits = threading.Event()  # is set while calls wait for a thread
        self._watch = threading.Thread(
            target=self._watch_over, name="grpc watch", daemon=True
        )

    def submit(
        self, fn: Callable[..., _Result], /, *args: Any, **kwargs: Any
    ) -> Future[_Result]:
        """Run a call as soon as a thread is free."""
        future: Future[_Result] = Future()

        def run() -> None:
            if not future.set_running_or_notify_cancel():
                return
            try:
                result = fn(*args, **kwargs)
            except BaseException as ex:
                future.set_exception(ex)
            else:
                future.set_result(result)

        with self._lock:
            self._queue.put(run)
            self._find_threads()
        return future

    @contextlib.contextmanager
    def apart(self) -> Iterator[None]:
        """Let another thread take the place of this one during the block."""
        with self._lock:
            self._apart += 1
            self._find_threads()
        try:
            yield
        finally:
            with self._lock:
                self._apart -= 1

    def _find_threads(self) -> None:
        """Start a thread for a call that waits, or watch it; the lock is held."""
        if self._queue.qsize() <= self._idle:
            return
        if self._threads - self._apart < self._few and self._threads < self._most:
            self._start()
        elif not self._waits.is_set():
            self._waits.set()
            if self._watch.ident is None:
                self._watch.start()

    def _start(self) -> None:
        self._threads += 1
        threading.Thread(target=self._work, name="grpc", daemon=True).start()

    def _work(self) -> None:
        while True:
            with self._lock:
                # A thread that came for stuck calls ends with them.
                if self._threads - self._apart > self._few and self._queue.empty():
                    self._threads -= 1
                    return
                self._idle += 1
            call = self._queue.get()
            with self._lock:
                self._idle -= 1
            call()
            del call  # a thread that waits must not keep its last call alive
            with self._lock:
                self._ended += 1

    def _watch_over(self) -> None:
        while True:
            self._waits.wait()
            before = self._ended
            self._sleep(STUCK_SECONDS)
            with self._lock:
                waiting = self._queue.qsize() - self._idle
                if waiting <= 0:
                    self._waits.clear()
                elif self._ended == before:
                    for _ in range(min(waiting, self._most - self._threads)):
                        self._start()
