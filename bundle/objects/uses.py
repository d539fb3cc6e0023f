"""The use of versions on this machine: those in use stay, and others make room.

Each version has a file, which every process locks that has the version in memory. The
kernel frees the lock when the process ends, however it ends.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import time
from collections.abc import Iterator
from pathlib import Path

FOLDER = ".uses"


class Uses:
    """The files of one copy.

    Args:
        root: the copy's folder.
    """

    def __init__(self, root: Path) -> None:
        self._folder = root / FOLDER

    def hold(self, name: str, number: int) -> int:
        """Note that this process has a version in memory.

        Returns:
            A file descriptor; ``release`` ends the use.
        """
        while True:
            self._folder.mkdir(parents=True, exist_ok=True)
            path = self._path(name, number)
            descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            fcntl.flock(descriptor, fcntl.LOCK_SH)
            # Whoever removed the version has removed the file, too.
            with contextlib.suppress(FileNotFoundError):
                if os.path.samestat(os.fstat(descriptor), path.stat()):
                    _use(descriptor)
                    return descriptor
            os.close(descriptor)

    def release(self, descriptor: int) -> None:
        """End a use; its time is the time of the last use."""
        _use(descriptor)
        os.close(descriptor)

    def last(self, name: str, number: int) -> float:
        """Return when a version was last used, in seconds since 1970; 0 is never."""
        try:
            return self._path(name, number).stat().st_mtime
        except FileNotFoundError:
            return 0.0

    def note(self, name: str, number: int) -> None:
        """Note that somebody has asked for a version."""
        os.close(self.hold(name, number))

    @contextlib.contextmanager
    def unused(self, name: str, number: int) -> Iterator[bool]:
        """Keep a version from being used while it is removed.

        Yields:
            False if somebody has it in memory, so that it must stay.
        """
        self._folder.mkdir(parents=True, exist_ok=True)
        path = self._path(name, number)
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(descriptor)
            yield False
            return
        try:
            yield True
            path.unlink(missing_ok=True)
        finally:
            os.close(descriptor)

    def _path(self, name: str, number: int) -> Path:
        return self._folder / f"{name}.{number}"


def _use(descriptor: int) -> None:
    now = time.time_ns()  # the kernel's own "now" has steps of 4 ms
    os.utime(descriptor, ns=(now, now))
