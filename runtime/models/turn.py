"""Requests that came in one turn of the network's thread, and are run together.

All requests that the network brings in one turn are decoded first. Then each model runs
the items of its requests at once, so eight requests cost one run and not eight. Nobody
waits for a timer: a request that comes alone is run alone, at once.
"""

from __future__ import annotations

import functools

from runtime.lane import Fiber, Hub
from runtime.models.joint_run import Inputs, Outputs, Run, Waiting, run_all
from runtime.telemetry.journey import Deadline

# One run may keep all other requests waiting for so many seconds.
RUN_SECONDS = 0.005


class Turn:
    """The requests for one model that wait for the end of the turn.

    Args:
        run: the function that takes ``(N, …)`` arrays by name, and gives ``(N, …)``
            arrays of the same N.
        max_batch_size: the most items in one run.
        seconds: the time of one item.
    """

    def __init__(self, run: Run, max_batch_size: int, seconds: float) -> None:
        self._run = run
        self._most = max(1, min(max_batch_size, int(RUN_SECONDS / max(seconds, 1e-9))))
        # Each front has a thread; the requests of a front are run in its thread alone.
        self._waiting: dict[Hub, list[tuple[Fiber, Waiting]]] = {}

    def submit(
        self,
        fiber: Fiber,
        inputs: Inputs,
        items: int,
        kind: tuple[object, ...],
        deadline: Deadline | None,
    ) -> Outputs:
        """Run one request's items at the end of the turn, with those of others.

        Args:
            fiber: the request's greenlet, which is parked until then.
            inputs: an array ``(N, …)`` of each input's dtype, by name.
            items: N, which is the same in all.
            kind: the inputs' ``kind_of``; a run has items of one kind.
            deadline: the deadline that is checked before the run.

        Returns:
            An array ``(N, …)`` of each output's dtype, by name, of these items alone.

        Raises:
            Expired: its deadline came first.
            Exception: any error that ``run`` raises on these items.
        """
        hub = fiber.hub
        mine = Waiting(inputs, items, kind, deadline)
        waiting = self._waiting.get(hub)
        if waiting:
            waiting.append((fiber, mine))
        else:
            self._waiting[hub] = [(fiber, mine)]
            hub.soon(functools.partial(self._end_turn, hub))
        fiber.park()
        if mine.outputs is None:
            return mine.answer()
        return mine.outputs

    def _end_turn(self, hub: Hub) -> None:
        """Run one batch, and answer its requests; others of the turn come next."""
        waiting = self._waiting[hub]
        batch, items, left = [waiting[0]], waiting[0][1].items, []
        kind = waiting[0][1].kind
        for one in waiting[1:]:
            its = one[1]
            if items + its.items <= self._most and its.kind == kind:
                batch.append(one)
                items += its.items
            else:
                left.append(one)
        self._waiting[hub] = left
        if left:
            hub.soon(functools.partial(self._end_turn, hub))
        run_all(self._run, [mine for _, mine in batch])
        for fiber, _ in batch:
            fiber.switch()
