"""Requests side by side: several wait for the store at a time."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

T = TypeVar("T")
R = TypeVar("R")

# Requests of one listing or upload that run at a time.
_AT_A_TIME = 8


def each(call: Callable[[T], R], values: Iterable[T]) -> list[R]:
    """Call a function for each value, several at a time; return what it returns."""
    given = list(values)
    if len(given) < 2:
        return [call(value) for value in given]
    with ThreadPoolExecutor(_AT_A_TIME, "objects") as threads:
        return list(threads.map(call, given))
