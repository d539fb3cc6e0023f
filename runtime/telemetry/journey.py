"""The journey of one request, for its log line, its metrics and its spans."""

from __future__ import annotations

import re
import time
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Literal

from runtime.errors import Expired

# queue: the request waits until the model is in memory. decode: bytes become arrays,
# which are preprocessed. infer: the engine runs. encode: arrays become the reply.
Stage = Literal["queue", "decode", "infer", "encode"]
STAGES: tuple[Stage, ...] = ("queue", "decode", "infer", "encode")


# One part of a stage: its name, its start and its end in seconds of
# ``time.perf_counter``. It is a plain tuple, because each request makes five of them.
Lap = tuple[Stage, float, float]

# The clock of the laps. A room takes the time before and after its work, and appends a
# lap even if the work fails. A context manager would read better, and would be four
# calls for each lap.
clock = time.perf_counter


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


# A client may give its request an id. The id is copied into the reply, the log and
# perhaps other systems, so it has few kinds of characters.
REQUEST_ID = re.compile(r"[A-Za-z0-9._:/+=@-]{1,128}")


@dataclass(slots=True)
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
        laps: its stages in their order, by ``clock``; a stage may come twice.
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

    def hasten(self, microseconds: float | None) -> None:
        """Let a time of the client end the wait, if that is sooner; None is no time."""
        if microseconds is not None:
            at = self.started + microseconds / 1e6
            known = self.deadline.at
            self.deadline.at = at if known is None else min(at, known)

    @property
    def seconds(self) -> tuple[float | None, ...]:
        """The total time of each of ``STAGES``; None if the stage did not come."""
        spent: dict[Stage, float] = {}
        for stage, start, end in self.laps:
            if stage in spent:
                spent[stage] += end - start
            else:
                spent[stage] = end - start
        return tuple(map(spent.get, STAGES))


# The request that this thread is answering; log lines written meanwhile have its id.
CURRENT: ContextVar[Journey | None] = ContextVar("journey", default=None)
