"""Walls of the kernel around a process that opens a stranger's model.

A list of operators has holes, and engines have faults. Code that gets through runs in a
process that can write only in a scratch folder and can read only one model. It opens no
socket, starts no program, reaches no other process, and has only its own user's rights.
``enclose`` shuts the calling process in, and nothing can undo that.

Landlock guards files; seccomp guards system calls; limits and another user guard the
rest. docs/security.md names the kernels, and what remains where a wall is missing.
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

# Engines open some dozens of files.
_MAX_OPEN_FILES = 1024


@dataclass(frozen=True)
class Room:
    """The things that a process behind walls may do.

    Attributes:
        reads: the files and folders that it may read, besides those of Python and the
            engines.
        writes: the folders or files that it may write; they must exist.
        max_file_bytes: the most bytes of any file that it writes.
        user: the user that it becomes, where it runs as root; empty for no change.
    """

    reads: tuple[Path, ...]
    writes: tuple[Path, ...]
    max_file_bytes: int
    user: str = ""


def prepare() -> None:
    """Read the files that all walls need, before processes with walls are forked."""
    standing()
    program.reads()
    program.devices()
    seccomp.prepare()


def check(policy: Walls, run_as: str) -> None:
    """Check at the start that the settings can be met.

    Raises:
        ConfigError: this process cannot become the user ``run_as``.
    """
    if policy != "off":
        user.check(run_as)


def enclose(room: Room, policy: Walls) -> tuple[str, ...]:
    """Shut this process in.

    It must have one thread, because Landlock and seccomp bind the calling thread, and
    the threads that it starts afterwards.

    Args:
        room: the things that it may do from now on.
        policy: ``auto`` builds the walls that the kernel offers. ``require`` raises
            where files or sockets would stay open. ``off`` builds only the limits.

    Returns:
        The walls that stand now, among ``limits``, ``user``, ``landlock``, ``seccomp``.

    Raises:
        WallsError: see ``policy``; the process is unchanged. Or the kernel offered a
            wall and refused to build it; then the process must end.
        ConfigError: this process cannot become ``room.user``.
    """
    demand(policy)
    _limit(room.max_file_bytes)
    if policy == "off":
        return ("limits",)
    _see_that_it_is_alone()
    offered = standing()
    names = ["limits"]
    # The list is made now, while every folder can be read.
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
        # seccomp comes last, because it refuses the calls that build the others.
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
