"""One run for the items of several requests."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from runtime.errors import Expired
from runtime.telemetry.journey import Deadline, clock

Inputs = Mapping[str, NDArray[Any]]
Outputs = dict[str, NDArray[Any]]
Run = Callable[[Inputs], Outputs]


@dataclass(slots=True, eq=False)
class Waiting:
    """The items of one request.

    Attributes:
        items: the number of items, N in all arrays.
        kind: the names, dtypes and shapes without N; a run has items of one kind.
        deadline: the time after which it is not run.
        outputs: the answer; None as long as there is none.
        error: the error that is the answer.
    """

    inputs: Inputs
    items: int
    kind: tuple[object, ...]
    deadline: Deadline | None
    outputs: Outputs | None = None
    error: Exception | None = None

    @property
    def is_done(self) -> bool:
        """Whether there is an answer."""
        return self.outputs is not None or self.error is not None

    def answer(self) -> Outputs:
        """Return the outputs, or raise the error."""
        if self.error is not None:
            raise self.error
        assert self.outputs is not None, "it is done, and did not fail"
        return self.outputs


def kind_of(inputs: Inputs) -> tuple[object, ...]:
    """Return the names, dtypes and shapes without N of a request's arrays."""
    kind: list[object] = []
    for name, array in inputs.items():
        kind += name, array.dtype, array.shape[1:]
    return tuple(kind)


def run_all(run: Run, batch: Sequence[Waiting], sizes: Sequence[int] = ()) -> None:
    """Answer all requests of a batch by one run, or each by one of its own if it fails.

    Args:
        run: the function that takes ``(N, …)`` arrays by name, and gives ``(N, …)``
            arrays of the same N.
        batch: requests of one kind.
        sizes: the batch sizes with which ``run`` is called, in rising order. A batch of
            another size is filled up with its last item. Empty allows every size.
    """
    if _has_expired(batch):
        batch = [waiting for waiting in batch if not waiting.is_done]
    if not batch:
        return
    try:
        _run_together(run, batch, sizes)
    except Exception as ex:
        if len(batch) == 1:
            batch[0].error = ex
            return
        # Items of one request must not make other requests fail.
        for waiting in batch:
            waiting.outputs = None
            run_all(run, [waiting], sizes)


def _run_together(run: Run, batch: Sequence[Waiting], sizes: Sequence[int]) -> None:
    inputs: Inputs = batch[0].inputs
    room = 0
    if sizes:
        items = sum(waiting.items for waiting in batch)
        room = next((size for size in sizes if size >= items), items) - items
    if len(batch) > 1 or room:
        inputs = {
            name: np.concatenate(
                [waiting.inputs[name] for waiting in batch]
                + [batch[-1].inputs[name][-1:]] * room
            )
            for name in inputs
        }
    outputs = run(inputs)
    if len(batch) == 1 and not room:
        batch[0].outputs = outputs
        return
    start = 0
    for waiting in batch:
        end = start + waiting.items
        mine: Outputs = {}
        for name, array in outputs.items():  # a comprehension would be a call
            mine[name] = array[start:end]
        waiting.outputs = mine
        start = end


def _has_expired(batch: Sequence[Waiting]) -> bool:
    """Tell whether a deadline is over; if so, that is its request's answer."""
    now, found = clock(), False
    for waiting in batch:
        deadline = waiting.deadline
        if deadline is None or not (
            deadline.is_gone or (deadline.at is not None and now > deadline.at)
        ):
            continue
        try:
            deadline.check()
        except Expired as ex:
            waiting.error, found = ex, True
    return found
