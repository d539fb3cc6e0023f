"""The Python calls that a piece of work takes."""

from __future__ import annotations

import collections
import sys
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Any

ROOT = f"{Path(__file__).resolve().parents[1]}/"


def calls_of(work: Callable[[], object]) -> list[str]:
    """Do some work, and return the file and name of each function that it calls.

    Functions that are not Python, and those of other threads, are not among them.
    """
    calls: list[str] = []

    def note(frame: FrameType, event: str, argument: object) -> None:
        if event == "call":
            code = frame.f_code
            calls.append(f"{code.co_filename.removeprefix(ROOT)} {code.co_qualname}")

    profile(work, note)
    return calls[1:]


def profile(
    work: Callable[[], object], note: Callable[[FrameType, str, Any], None]
) -> None:
    """Do some work, and tell a function of each event, as ``sys.setprofile`` does."""
    before = sys.getprofile()
    sys.setprofile(note)
    try:
        work()
    finally:
        sys.setprofile(before)


def listed(calls: list[str]) -> str:
    """Return a line for each function with the number of its calls, for a failure."""
    counted = collections.Counter(calls).items()
    return "\n".join(f"{count:4} {name}" for name, count in counted)
