"""The grouping of a model's requests: by a batcher, by turns, or not at all."""

from __future__ import annotations

import functools
import weakref
from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple

from runtime.backends import Backend
from runtime.backends.options import BackendOptions
from runtime.backends.warming import Make
from runtime.models.batch_policy import decide, largest_batch, sizes_of
from runtime.models.batcher import Batcher
from runtime.models.joint_run import Inputs, Outputs
from runtime.models.plan import Plan, make_plan
from runtime.models.turn import Turn

if TYPE_CHECKING:
    from runtime.models.model import Model


class Grouping(NamedTuple):
    """The way in which requests of a model are run together.

    Attributes:
        why: the reason for people; empty if requests were never to be grouped.
        batcher: the batcher, if there is one.
        turn: the requests of one turn of the network's thread, if they are run
            together.
        plan: the plan of a usual request of such a turn, if there is one.
    """

    why: str = ""
    batcher: Batcher | None = None
    turn: Turn | None = None
    plan: Plan | None = None


def group(
    model: Model,
    options: BackendOptions,
    make: Make | None,
    clock: Callable[[], float],
    max_numbers: int,
) -> Grouping:
    """Decide whether a model's requests are run together; see ``batch_policy``.

    Args:
        model: the model; it is warm, and knows the time of one item.
        options: the options, which tell how many requests wait, and for how long.
        make: the function that makes batches which the model takes; None if none is
            known.
        clock: a clock in seconds that never goes back.
        max_numbers: the most numbers that the inputs of one run may hold.
    """
    backend, size = model.backend, model.max_batch_size
    verdict = decide(
        options.batching,
        backend,
        size,
        options.threads,
        model.seconds,
        make,
        clock,
        max_numbers,
    )
    if size is None:
        return Grouping(verdict.why)
    # Each gets a weak reference. A model that refers to itself would be freed only by
    # Python's slow search for cycles, and its memory or its process with it. A request
    # that waits for a run keeps the model alive.
    run = functools.partial(_run_of, weakref.ref(model), backend)
    if not verdict.is_on:
        if not verdict.gains:
            return Grouping(verdict.why)
        turn = Turn(run, size, model.seconds)
        plan = make_plan(
            turn, backend.inputs, model.output, size, model.seconds, max_numbers
        )
        return Grouping(verdict.why, turn=turn, plan=plan)
    sizes = sizes_of(backend, size)
    if make is not None:
        most = largest_batch(make, max_numbers)
        for one in sizes or ():
            if one <= most:
                backend.run(make(one))
    batcher = Batcher(run, size, options.max_queue, options.max_queue_delay_us, sizes)
    return Grouping(verdict.why, batcher)


def _run_of(held: weakref.ref[Model], backend: Backend, inputs: Inputs) -> Outputs:
    model = held()
    assert model is not None, "the caller keeps the model alive"
    return model.run_once(inputs, backend)
