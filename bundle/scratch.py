"""Folders for temporary files, which are removed even if their process is killed.

The system gives each folder a new name, so nobody can make the folder in advance. The
process holds a lock on it. Other processes see by the lock whether a folder is in use
or was left by a killed process.
"""

from __future__ import annotations

import fcntl
import os
import stat
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path


@contextmanager
def scratch_folder(kind: str) -> Iterator[Path]:
    """Give an empty folder, and remove it at the end of the block.

    Folders that killed processes left are removed first, if their user and their kind
    are the same.

    Args:
        kind: the beginning of the folder's name.

    Raises:
        OSError: the system's folder for temporary files cannot be written.
    """
    prefix = f"{kind}-{os.getuid()}-"
    _sweep(Path(tempfile.gettempdir()), prefix)
    held, descriptor = _make(prefix)
    try:
        folder = held / "new"
        folder.mkdir(mode=0o700)
        yield folder
    finally:
        _remove_all(held)
        os.close(descriptor)


def _make(prefix: str) -> tuple[Path, int]:
    while True:
        held = Path(tempfile.mkdtemp(prefix=prefix))
        # Another process may sweep it before it is locked; then a new one is made.
        with suppress(FileNotFoundError):
            descriptor = os.open(held, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            if held.exists():
                # The inner folder may be given to another user, who must get through.
                os.fchmod(descriptor, 0o711)
                return held, descriptor
            os.close(descriptor)


def _sweep(place: Path, prefix: str) -> None:
    """Remove this user's folders that nobody holds, and no link."""
    with suppress(OSError), os.scandir(place) as entries:
        names = [entry.name for entry in entries if entry.name.startswith(prefix)]
        for name in names:
            with suppress(OSError):
                _remove_left(place / name)


def _remove_left(left: Path) -> None:
    descriptor = os.open(left, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    try:
        owner = os.fstat(descriptor).st_uid
        # BlockingIOError means that a living process holds it, so it stays.
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if owner == os.getuid() and stat.S_ISDIR(left.lstat().st_mode):
            _remove_all(left)
    finally:
        os.close(descriptor)


def _remove_all(folder: Path) -> None:
    """Remove a folder with all that is in it; what cannot be removed stays.

    A stranger's code may have made a thousand folders inside one another. Their paths
    are too long for the system, and ``shutil.rmtree`` of Python 3.11 runs out of stack.
    It may also have made folders that nobody may list. So each folder is moved to the
    top and emptied there.
    """
    tops = [folder]
    while tops:
        top = tops.pop()
        with suppress(OSError), os.scandir(top) as entries:
            for entry in list(entries):
                with suppress(OSError):
                    path = Path(entry.path)
                    if not entry.is_dir(follow_symlinks=False):
                        path.unlink()
                        continue
                    path.chmod(0o700)
                    # A rename replaces an empty folder.
                    tops.append(Path(tempfile.mkdtemp(dir=folder)))
                    path.rename(tops[-1])
        if top != folder:
            with suppress(OSError):
                top.rmdir()
    with suppress(OSError):
        folder.rmdir()
