"""What one request went through: for its log line, its metrics and its spans."""

from __future__ import annotations

import time
from contextlib import AbstractContextManager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Literal

from runtime.errors import Expired

# queue: waiting for the model to be in memory. decode: bytes to arrays, preprocessing
# included. infer: the engine. encode: arrays to the reply's bytes.
Stage = Literal["queue", "decode", "infer", "encode"]


# One stretch of a stage: its name, its start and its end in seconds of
# ``time.perf_counter``. A plain tuple, for it is made on every request, thrice.
Lap = tuple[Stage, float, float]


class Deadline:
    """When a request is no longer worth running.

    Attributes:
        at: in seconds of ``time.perf_counter``; None is never.
        is_gone: its client has left; the server says so, from another thread.
    """

    __slots__ = ("at", "is_gone")

    def __init__(self, at: float | None = None) -> None:
        self.at = at
        self.is_gone = False

    def check(self) -> None:
        """Look whether there is anybody to answer; cheap, for between two steps.

        Raises:
            Expired: there is not.
        """
        if self.is_gone:
            raise Expired("the client has left before its request was run")
        if self.at is not None and time.perf_counter() > self.at:
            raise Expired("the request's time was over before it could be run")


@dataclass
class Journey:
    """One request's way; each room writes down what it knows.

    Attributes:
        request_id: the client's ``X-Request-Id``, or one made here.
        trace_id: of its spans, 32 hex digits; empty if there are none.
        model: its name, once the store was seen to have it: a name that a client made
            up must never become a metric's label.
        version: that answered.
        backend: ``engine/device`` that answered.
        items: rows or images in the request.
        started: when it came in, in seconds of ``time.perf_counter``.
        deadline: when it is no longer worth running.
        laps: its stages as they were gone through; a stage may be entered twice.
        draw: what the router drew for it, 0 to below 1; None before it was asked.
    """

    request_id: str = ""
    trace_id: str = ""
    model: str = ""
    version: int | None = None
    backend: str = ""
    items: int = 0
    started: float = field(default_factory=time.perf_counter)
    deadline: Deadline = field(default_factory=Deadline)
    laps: list[Lap] = field(default_factory=list)
    draw: float | None = None

    def begin_anew(self) -> None:
        """Forget the stages of an attempt that is made again from its beginning.

        The label that was drawn stays: a second draw would shift the labels' shares.
        """
        self.laps.clear()

    def stage(self, name: Stage) -> AbstractContextManager[None]:
        """Measure a block as one stage."""
        return _Measured(self.laps, name)

    @property
    def seconds(self) -> dict[Stage, float]:
        """What each stage took in all."""
        spent: dict[Stage, float] = {}
        for stage, start, end in self.laps:
            spent[stage] = spent.get(stage, 0.0) + end - start
        return spent


class _Measured:
    """A class, where a generator would be shorter and cost twice as much."""

    __slots__ = ("_laps", "_stage", "_start")

    def __init__(self, laps: list[Lap], stage: Stage) -> None:
        self._laps = laps
        self._stage: Stage = stage

    def __enter__(self) -> None:
        self._start = time.perf_counter()

    def __exit__(self, *_: object) -> None:
        self._laps.append((self._stage, self._start, time.perf_counter()))


# The request that this thread is answering; a log line written meanwhile bears its id.
CURRENT: ContextVar[Journey | None] = ContextVar("journey", default=None)
