"""Kill a process at a call of the system, for tests."""

from __future__ import annotations

import multiprocessing
import os
import signal
from collections.abc import Callable
from typing import Any

import pytest

FORK = multiprocessing.get_context("fork")
WAIT = 30.0


def die_at(what: str, nth: int, after: bool, work: Callable[[], object]) -> None:
    """Do the work in this process, and SIGKILL it before or after a call of os."""
    real = getattr(os, what)
    count = 0

    def deadly(*args: Any, **kwargs: Any) -> Any:
        nonlocal count
        count += 1
        if count == nth and not after:
            os.kill(os.getpid(), signal.SIGKILL)
        try:
            return real(*args, **kwargs)
        finally:
            if count == nth:
                os.kill(os.getpid(), signal.SIGKILL)

    setattr(os, what, deadly)
    work()


def killed(what: str, nth: int, after: bool, work: Callable[[], object]) -> bool:
    """Tell whether the child was killed; else it finished with fewer such calls."""
    child = FORK.Process(target=die_at, args=(what, nth, after, work))
    child.start()
    child.join(WAIT)
    assert child.exitcode in (0, -signal.SIGKILL)
    return child.exitcode != 0


STEPS = ["mkdir", "open", "fsync", "rename", "unlink", "rmdir"]
# The kill comes before each call, because the disk is the same after one call and
# before the next. A file that was opened is an exception: it is empty just after that,
# and is written before the next call.
KILLS = [*((step, False) for step in STEPS), ("open", True)]
by_kill = pytest.mark.parametrize(
    ("step", "after"), KILLS, ids=[*(f"{step}-before" for step in STEPS), "open-after"]
)
