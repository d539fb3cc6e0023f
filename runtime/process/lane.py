"""The quick lane: a thread that must be free again within a millisecond or so.

``runtime serve`` answers what is quick in one thread of each process, for threads that
take turns cost more than they give; whatever turns out not to be quick leaves it, and
is done again from its beginning by a thread that has time. Where there is no such
thread, under waitress for one, nothing here does anything.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import TypeVar

_Result = TypeVar("_Result")


# What may be done in the quick lane, in seconds. Behind it wait health checks too: of
# 32 connections that each want so much, the last one waits some 40 ms.
QUICK_SECONDS = 0.001


class Handover(BaseException):
    """This request is not quick: not an Exception, so that no error handler takes it.

    Args:
        model: that it asks for; empty where it is none's.
    """

    def __init__(self, model: str) -> None:
        super().__init__(model)
        self.model = model


class _Lane(threading.local):
    is_quick = False


_lane = _Lane()


def run_quickly(call: Callable[[], _Result]) -> _Result:
    """Do what may be quick, in this thread.

    Raises:
        Handover: it is not, and nothing of it was done.
    """
    _lane.is_quick = True
    try:
        return call()
    finally:
        _lane.is_quick = False


def leave_the_quick_lane(model: str = "") -> None:
    """Say that what comes now takes long, or may wait.

    Raises:
        Handover: this thread must be quick; whoever gave it the work gives it to
            another.
    """
    if _lane.is_quick:
        raise Handover(model)
