"""Walls of the kernel around a process that opens a stranger's model.

A list of operators has holes, and engines have faults. Code that gets through finds
itself in a process that can write nowhere but in a scratch folder, can read one model
and no other, opens no socket, starts no program, reaches no other process, and has no
user's rights but its own. ``enclose`` shuts the calling process in, and nothing takes
that back.

Landlock keeps files, seccomp system calls, limits and users the rest; docs/security.md
says on which kernels, and what remains where one is missing.
"""

from __future__ import annotations

import os
import resource
import sys
from dataclasses import dataclass
from pathlib import Path

from runtime.config import Walls
from runtime.errors import WallsError
from runtime.walls import landlock, program, seccomp, user
from runtime.walls.libc import prctl, succeed
from runtime.walls.standing import Standing, demand, sentence, standing, warn

__all__ = [
    "Room",
    "Standing",
    "WallsError",
    "check",
    "demand",
    "enclose",
    "prepare",
    "sentence",
    "standing",
    "warn",
]

_PR_SET_NO_NEW_PRIVS = 38

# Engines open some dozens.
_MAX_OPEN_FILES = 1024


@dataclass(frozen=True)
class Room:
    """The things that a process behind walls may do.

    Attributes:
        reads: files and folders besides those of Python and the engines.
        writes: folders in which it may write, or files; they must be there.
        max_file_bytes: of any file that it writes.
        user: whom it becomes, where it is root's; empty is as it is.
    """

    reads: tuple[Path, ...]
    writes: tuple[Path, ...]
    max_file_bytes: int
    user: str = ""


def prepare() -> None:
    """Read what all walls need, before processes that build some are forked."""
    standing()
    program.reads()
    program.devices()
    seccomp.prepare()


def check(policy: Walls, run_as: str) -> None:
    """See at the start that the settings can be met.

    Raises:
        ConfigError: ``run_as`` is no user that this process can become.
    """
    if policy != "off":
        user.check(run_as)


def enclose(room: Room, policy: Walls) -> tuple[str, ...]:
    """Shut this process in.

    It must have one thread: Landlock and seccomp bind the one that calls, and those
    that it starts afterwards.

    Args:
        room: what it may do from now on.
        policy: ``auto`` builds what the kernel offers, ``require`` raises where files
            or sockets would stay open, ``off`` builds none but the limits.

    Returns:
        The walls that stand now: of ``limits``, ``user``, ``landlock``, ``seccomp``.

    Raises:
        WallsError: see ``policy``; the process is as it was. Or the kernel offered a
            wall and refused to build it: the process must end.
        ConfigError: ``room.user`` is no user that this process can become.
    """
    demand(policy)
    _limit(room.max_file_bytes)
    if policy == "off":
        return ("limits",)
    _see_that_it_is_alone()
    offered = standing()
    names = ["limits"]
    # Made before, while all can be read.
    files = ([*program.reads(), *room.reads], room.writes, program.devices())
    try:
        if sys.platform == "linux":
            user.become(room.user, room.writes, is_bounded=bool(offered.landlock))
            succeed(prctl(_PR_SET_NO_NEW_PRIVS, 1))
        if room.user:
            names.append("user")
        if offered.landlock:
            landlock.restrict(*files)
            names.append("landlock")
        # The last: it refuses the calls that build the others.
        if offered.seccomp:
            seccomp.restrict()
            names.append("seccomp")
    except OSError as ex:
        raise WallsError(
            f"the walls that this kernel offers could not be built: {ex.strerror}"
        ) from ex
    return tuple(names)


def _limit(max_file_bytes: int) -> None:
    limits = {
        resource.RLIMIT_FSIZE: max_file_bytes,
        resource.RLIMIT_CORE: 0,
        resource.RLIMIT_NOFILE: _MAX_OPEN_FILES,
    }
    for kind, most in limits.items():
        _, hard = resource.getrlimit(kind)
        most = most if hard == resource.RLIM_INFINITY else min(most, hard)
        resource.setrlimit(kind, (most, most))


def _see_that_it_is_alone() -> None:
    try:
        threads = len(os.listdir("/proc/self/task"))  # noqa: PTH208
    except OSError:
        return
    if threads != 1:
        raise RuntimeError(f"walls bind one thread, and this process has {threads}")
