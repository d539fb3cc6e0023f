"""The journey of one request, for its log line, its metrics and its spans."""

from __future__ import annotations

import time
from contextlib import AbstractContextManager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Literal

from runtime.errors import Expired

# queue: the request waits until the model is in memory. decode: bytes become arrays,
# which are preprocessed. infer: the engine runs. encode: arrays become the reply.
Stage = Literal["queue", "decode", "infer", "encode"]


# One part of a stage: its name, its start and its end in seconds of
# ``time.perf_counter``. It is a plain tuple, because each request makes three of them.
Lap = tuple[Stage, float, float]


class Deadline:
    """The time after which a request is no longer worth running.

    Attributes:
        at: the time in seconds of ``time.perf_counter``; None is never.
        is_gone: whether the client has left; the server sets this from another thread.
    """

    __slots__ = ("at", "is_gone")

    def __init__(self, at: float | None = None) -> None:
        self.at = at
        self.is_gone = False

    def check(self) -> None:
        """Check whether anybody still waits; this is cheap, and fits between two steps.

        Raises:
            Expired: nobody waits.
        """
        if self.is_gone:
            raise Expired("the client has left before its request was run")
        if self.at is not None and time.perf_counter() > self.at:
            raise Expired("the request's time was over before it could be run")


@dataclass
class Journey:
    """The way of one request; each room notes its part.

    Attributes:
        request_id: the client's ``X-Request-Id``, or one made here.
        trace_id: the id of its spans, 32 hex digits; empty if there are none.
        model: the model's name, noted only when the store has it: a name that a client
            made up must never become a metric's label.
        version: the version that answered.
        backend: the engine that answered, as ``engine/device``.
        items: the number of rows or images in the request.
        started: the time when it came in, in seconds of ``time.perf_counter``.
        deadline: the deadline after which it is no longer worth running.
        laps: its stages in their order; a stage may be entered twice.
        draw: the number that the router drew for it, 0 to below 1; None before that.
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
        """Forget the stages of an attempt that begins again.

        The label that was drawn stays: a second draw would shift the labels' shares.
        """
        self.laps.clear()

    def stage(self, name: Stage) -> AbstractContextManager[None]:
        """Measure a block as one stage."""
        return _Measured(self.laps, name)

    @property
    def seconds(self) -> dict[Stage, float]:
        """The total time of each stage."""
        spent: dict[Stage, float] = {}
        for stage, start, end in self.laps:
            spent[stage] = spent.get(stage, 0.0) + end - start
        return spent


class _Measured:
    """A timer; it is a class, because a generator would take twice as long."""

    __slots__ = ("_laps", "_stage", "_start")

    def __init__(self, laps: list[Lap], stage: Stage) -> None:
        self._laps = laps
        self._stage: Stage = stage

    def __enter__(self) -> None:
        self._start = time.perf_counter()

    def __exit__(self, *_: object) -> None:
        self._laps.append((self._stage, self._start, time.perf_counter()))


# The request that this thread is answering; log lines written meanwhile have its id.
CURRENT: ContextVar[Journey | None] = ContextVar("journey", default=None)
