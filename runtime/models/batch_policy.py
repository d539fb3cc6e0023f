"""Decide whether a model's requests are run together; measured when it is loaded.

A batch costs a hand-over between threads, some 0.1 ms under load. A small network on a
CPU gains less from it: MNIST's takes 55 us alone, and 35 us an item in a batch of 32.
TensorFlow spends most of half a millisecond on the call itself, and gains five times
that. A GPU always gains.
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
from runtime.lane import QUICK_SECONDS

# A batch must save at least so much on each item: twice the hand-over.
WORTH_SECONDS = 0.0002
# In a batch an item may take at most this share of its time alone. While one core runs
# a batch, several cores could have run the items.
WORTH_SHARE = 0.7
# The batch that is tried has so many items.
_ITEMS = 8
# The trial may take so many seconds of a load, and at most so many runs.
_BUDGET = 0.25
_RUNS = 9


@dataclass(frozen=True)
class Verdict:
    """The decision about a model.

    Attributes:
        is_on: whether its requests are run together.
        why: the reason for people, with the figures if there are some.
        gains: whether requests that come in one turn of the network's thread are run
            together, where ``is_on`` is False; no thread hands anything over then.
    """

    is_on: bool
    why: str
    gains: bool = False


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
    """Decide about a warm model.

    Args:
        wanted: config.json's ``batching``.
        backend: the backend that will run it.
        max_batch_size: the most items of one run; None if a request cannot be cut.
        threads: the threads of this process that may ask for it at once.
        one: the time of one item, in seconds.
        make: the function that makes batches which the model takes; None if none is
            known.
        clock: a clock in seconds.
        max_numbers: the most numbers that the inputs of one run may hold.
    """
    if max_batch_size is None or max_batch_size == 1:
        return Verdict(False, "off: the model takes no batches")
    if wanted == "off":
        return Verdict(False, "off: config.json says so")
    if wanted == "on":
        return Verdict(True, "on: config.json says so")
    if threads == 1 and one >= QUICK_SECONDS:
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
    if threads > 1 and saved >= WORTH_SECONDS and several / items <= WORTH_SHARE * one:
        return Verdict(True, f"on: an item takes {figures}")
    if several / items < one < QUICK_SECONDS:
        return Verdict(False, f"by turns: an item takes {figures}", gains=True)
    return Verdict(False, f"off: an item takes {figures}, and a hand-over 0.1 ms")


def largest_batch(make: Make, max_numbers: int = MAX_NUMBERS) -> int:
    """Return the most items that a model may be warmed with; at least one."""
    return max(1, max_numbers // sum(array.size for array in make(1).values()))


def seconds_of_one(
    backend: Backend,
    make: Make | None,
    clock: Callable[[], float] = time.perf_counter,
) -> float:
    """Return the seconds of one item on a warm backend; infinite without an input."""
    return math.inf if make is None else _seconds(backend, make(1), clock)


def _seconds(
    backend: Backend,
    inputs: Mapping[str, NDArray[Any]],
    clock: Callable[[], float],
) -> float:
    """Return the time of the quickest of some runs; long runs are repeated less often.

    The slower runs waited for other work: requests, where a version takes over.
    """
    spent: list[float] = []
    while len(spent) < _RUNS and sum(spent) < _BUDGET / 2:
        start = clock()
        backend.run(inputs)
        spent.append(clock() - start)
    return min(spent)


def sizes_of(backend: Backend, max_batch_size: int) -> tuple[int, ...] | None:
    """Return the batch sizes that a GPU is warmed with and runs.

    They are the powers of two, and the largest size. A GPU chooses a kernel when it
    first sees a size, which takes a while. On a CPU the filling items would cost as
    much as others, so the answer is None: a batch has the size that comes.
    """
    if not backend.device.startswith("CUDA"):
        return None
    powers = (1 << n for n in range(max_batch_size.bit_length()))
    return (*(n for n in powers if n < max_batch_size), max_batch_size)
