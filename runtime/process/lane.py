"""The quick lane: a thread that must be free again within about a millisecond.

``runtime serve`` answers quick requests in one thread of each process, because threads
that take turns cost more than they give. A request that turns out not to be quick
leaves the lane: another thread, which has time, does it again from its beginning.
Without such a thread, for example under waitress, these functions have no effect.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import TypeVar

_Result = TypeVar("_Result")


# Work in the quick lane takes at most so many seconds. Health checks wait behind it. If
# 32 connections take so long each, the last one waits some 40 ms.
QUICK_SECONDS = 0.001


class Handover(BaseException):
    """This request is not quick; no ``except Exception`` may catch this.

    Args:
        model: the model that it asks for; empty if it asks for none.
    """

    def __init__(self, model: str) -> None:
        super().__init__(model)
        self.model = model


class _Lane(threading.local):
    is_quick = False


_lane = _Lane()


def run_quickly(call: Callable[[], _Result]) -> _Result:
    """Make a call that may be quick, in this thread.

    Raises:
        Handover: it is not quick, and had no effect.
    """
    _lane.is_quick = True
    try:
        return call()
    finally:
        _lane.is_quick = False


def leave_the_quick_lane(model: str = "") -> None:
    """Say that the next step takes long, or may wait.

    Raises:
        Handover: this thread must be quick; the caller gives the work to another one.
    """
    if _lane.is_quick:
        raise Handover(model)
