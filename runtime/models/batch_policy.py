"""Whether a model's requests are run together: asked of the model when it is loaded.

A batch costs a hand-over between threads, some 0.1 ms under load. A small network on a
CPU gains less from it: MNIST's takes 55 us alone and 35 us an item of 32. TensorFlow,
which spends most of half a millisecond on the call itself, gains five times that; and a
GPU always gains.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from numpy.typing import NDArray

from runtime.backends import Backend
from runtime.backends.tensors import MAX_NUMBERS
from runtime.backends.warming import Make
from runtime.config import Batching

# What must be saved on an item: the hand-over, twice.
WORTH_SECONDS = 0.0002
# And of what it takes alone: on one core a batch is run where each could have run.
WORTH_SHARE = 0.7
# Items of the batch that is tried.
_ITEMS = 8
# What the trial may take of a load, in seconds; and runs at most.
_BUDGET = 0.25
_RUNS = 9


@dataclass(frozen=True)
class Verdict:
    """What was decided of a model.

    Attributes:
        is_on: its requests are run together.
        why: for people, with the figures if there are some.
    """

    is_on: bool
    why: str


def decide(
    wanted: Batching,
    backend: Backend,
    max_batch_size: int | None,
    threads: int,
    one: float,
    make: Make | None,
    clock: Callable[[], float] = time.perf_counter,
    max_numbers: int = MAX_NUMBERS,
) -> Verdict:
    """Decide for a model that is warm.

    Args:
        wanted: config.json's ``batching``.
        backend: that will run it.
        max_batch_size: items that one run may have; None if it cannot be cut in items.
        threads: of this process, that may ask for it at once.
        one: what one item takes, in seconds.
        make: gives batches that the model takes; None if none is known.
        clock: in seconds.
        max_numbers: that the inputs of one run may hold.
    """
    if max_batch_size is None or max_batch_size == 1:
        return Verdict(False, "off: the model takes no batches")
    if wanted == "off":
        return Verdict(False, "off: config.json says so")
    if wanted == "on":
        return Verdict(True, "on: config.json says so")
    if threads == 1:
        return Verdict(False, "off: one thread asks, and nothing queues")
    if backend.device.startswith("CUDA"):
        return Verdict(True, "on: the model is on a GPU")
    if make is None:
        return Verdict(False, "off: the model was not warmed, and so not timed")
    items = min(_ITEMS, max_batch_size, largest_batch(make, max_numbers))
    if items == 1:
        return Verdict(False, "off: one item is as large as a batch may be")
    several = _seconds(backend, make(items), clock)
    figures = f"{one * 1e3:.3g} ms alone, {several / items * 1e3:.3g} ms of {items}"
    saved = one - several / items
    if saved >= WORTH_SECONDS and several / items <= WORTH_SHARE * one:
        return Verdict(True, f"on: an item takes {figures}")
    return Verdict(False, f"off: an item takes {figures}, and a batch's hand-over 0.1")


def largest_batch(make: Make, max_numbers: int = MAX_NUMBERS) -> int:
    """How many items a model may be warmed with; at least one."""
    return max(1, max_numbers // sum(array.size for array in make(1).values()))


def seconds_of_one(
    backend: Backend,
    make: Make | None,
    clock: Callable[[], float] = time.perf_counter,
) -> float:
    """The seconds that a warm backend takes for one item; infinite if none is known."""
    return math.inf if make is None else _seconds(backend, make(1), clock)


def _seconds(
    backend: Backend,
    inputs: Mapping[str, NDArray[Any]],
    clock: Callable[[], float],
) -> float:
    """The quickest of some runs; of few, if they take long.

    The others wait for what else runs meanwhile: requests, where a version takes over.
    """
    spent: list[float] = []
    while len(spent) < _RUNS and sum(spent) < _BUDGET / 2:
        start = clock()
        backend.run(inputs)
        spent.append(clock() - start)
    return min(spent)


def sizes_of(backend: Backend, max_batch_size: int) -> tuple[int, ...] | None:
    """Batch sizes that a GPU is warmed with and runs: powers of two, and the largest.

    A kernel is chosen for each size when it is first seen, which takes it a while; on a
    CPU to fill a batch up costs what it is filled with. None: as they come.
    """
    if not backend.device.startswith("CUDA"):
        return None
    powers = (1 << n for n in range(max_batch_size.bit_length()))
    return (*(n for n in powers if n < max_batch_size), max_batch_size)
