"""System calls for which Python's ``os`` has no function."""

from __future__ import annotations

import ctypes
import functools
import os
import sys
from collections.abc import Callable


@functools.cache
def _function(name: str) -> Callable[..., int] | None:
    if sys.platform != "linux":
        return None
    function = getattr(ctypes.CDLL(None, use_errno=True), name)
    # An int fills half of a register only, and -1 would read as 4294967295.
    function.restype = ctypes.c_long if name == "syscall" else ctypes.c_int
    return function  # type: ignore[no-any-return]


def syscall(number: int, *arguments: object) -> int:
    """Make a system call; return -1 if it fails (see ``errno``), or without Linux."""
    return _call("syscall", number, *arguments)


def capget(head: object, data: object) -> int:
    """Read this thread's capabilities into ``data``; return -1 if that fails."""
    return _call("capget", head, data)


def capset(head: object, data: object) -> int:
    """Set this thread's capabilities; return -1 if that fails."""
    return _call("capset", head, data)


def prctl(option: int, *arguments: int) -> int:
    """Ask the kernel about this process, or set it; return -1 if the kernel refuses."""
    return _call("prctl", option, *arguments)


def _call(name: str, *arguments: object) -> int:
    function = _function(name)
    if function is None:
        return -1
    # The kernel takes six words, and ctypes passes a bare number as 32 bits.
    words = [ctypes.c_long(a) if isinstance(a, int) else a for a in arguments]
    return function(*words, *[ctypes.c_long(0)] * (6 - len(words)))


def succeed(result: int) -> int:
    """Return the result of a call.

    Raises:
        OSError: the call failed.
    """
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
    return result
