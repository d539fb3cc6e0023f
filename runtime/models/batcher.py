"""Batching without a timer: the requests that queue during a batch are the next one.

At low load nobody waits; at high load batches are full. The batcher has no thread: the
first of the waiting requests runs the batch for all that wait with it, and answers
them. Then it hands the engine to the first request that came meanwhile.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Sequence

from runtime.errors import Overloaded
from runtime.models.joint_run import Inputs, Outputs, Run, Waiting, kind_of, run_all
from runtime.telemetry.journey import Deadline


class _Queued(Waiting):
    """The items of one request, whose thread waits for its turn.

    Attributes:
        turn: an event that is set when there is an answer, or when this request's
            thread must run the next batch.
    """

    __slots__ = ("turn",)

    def __init__(self, inputs: Inputs, items: int, deadline: Deadline | None) -> None:
        super().__init__(inputs, items, kind_of(inputs), deadline)
        self.turn = threading.Event()


class Batcher:
    """Runs requests of several threads together.

    Args:
        run: the function that takes ``(N, …)`` arrays by name, and gives ``(N, …)``
            arrays of the same N; one thread at a time calls it.
        max_batch_size: the most items in one run.
        max_queue: the most requests that may wait; one more is refused.
        max_queue_delay_us: the time that a batch which is not full waits for more, in
            microseconds. Any other value than 0 suits only an engine on another device.
        sizes: the batch sizes with which ``run`` is called, in rising order. A batch of
            another size is filled up with its last item. None allows every size.
    """

    def __init__(
        self,
        run: Run,
        max_batch_size: int,
        max_queue: int = 1024,
        max_queue_delay_us: int = 0,
        sizes: Sequence[int] | None = None,
    ) -> None:
        self._run = run
        self._max_batch_size = max_batch_size
        self._max_queue = max_queue
        self._delay = max_queue_delay_us / 1e6
        self._sizes = sizes or ()
        self._lock = threading.Lock()  # guards both below; not held during a run
        self._queue: deque[_Queued] = deque()
        self._is_running = False
        self._arrived = threading.Event()

    def submit(self, inputs: Inputs, deadline: Deadline | None = None) -> Outputs:
        """Run one request's items, alone or with those of others.

        Args:
            inputs: an array ``(N, …)`` of each input's dtype, by name; N is the same in
                all.
            deadline: the deadline that is checked when its turn has come.

        Returns:
            An array ``(N, …)`` of each output's dtype, by name, of these items alone.

        Raises:
            Overloaded: ``max_queue`` requests wait already.
            Expired: its deadline came first.
            Exception: any error that ``run`` raises on these items.
        """
        items = len(next(iter(inputs.values())))
        mine = _Queued(inputs, items, deadline)
        with self._lock:
            is_leader = not self._is_running
            if is_leader:
                self._is_running = True
            elif len(self._queue) >= self._max_queue:
                raise Overloaded(
                    f"{self._max_queue} requests wait for the model already; try again"
                    " in a moment"
                )
            self._queue.append(mine)
        if not is_leader:
            self._arrived.set()
            mine.turn.wait()
        if not mine.is_done:
            if self._delay:
                self._wait_for_more()
            self._lead()
        return mine.answer()

    def _lead(self) -> None:
        """Run the batch that begins with the queue's first request, this thread's."""
        with self._lock:
            batch = self._take()
        try:
            run_all(self._run, batch, self._sizes)
        finally:
            with self._lock:
                following = self._queue[0] if self._queue else None
                self._is_running = following is not None
            for other in batch[1:]:
                other.turn.set()
            if following is not None:
                following.turn.set()

    def _queued(self) -> int:
        return sum(waiting.items for waiting in self._queue)

    def _wait_for_more(self) -> None:
        end = time.monotonic() + self._delay
        while (left := end - time.monotonic()) > 0:
            self._arrived.clear()
            with self._lock:
                if self._queued() >= self._max_batch_size:
                    return
            self._arrived.wait(left)

    def _take(self) -> list[_Queued]:
        """Take the first request, and those of its kind behind it for which is room."""
        first = self._queue.popleft()
        batch, items, left = [first], first.items, deque[_Queued]()
        while self._queue:
            other = self._queue.popleft()
            if other.kind == first.kind and items + other.items <= self._max_batch_size:
                batch.append(other)
                items += other.items
            else:
                left.append(other)
        self._queue = left
        return batch
