"""Folders for temporary files, which go even if their process is killed.

Nobody else can be first to have such a folder: each has a name of its own, that the
system makes. It lies in a folder that this process holds a lock on, so that others tell
those of the living from those that were left.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import stat
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path


@contextmanager
def scratch_folder(kind: str) -> Iterator[Path]:
    """Give an empty folder; it goes at the end.

    Folders that killed processes of the same user and kind left are removed first.

    Args:
        kind: begins the folder's name.

    Raises:
        OSError: the folder for temporary files cannot be written.
    """
    prefix = f"{kind}-{os.getuid()}-"
    _sweep(Path(tempfile.gettempdir()), prefix)
    held, descriptor = _make(prefix)
    try:
        folder = held / "new"
        folder.mkdir(mode=0o700)
        yield folder
    finally:
        shutil.rmtree(held, ignore_errors=True)
        os.close(descriptor)


def _make(prefix: str) -> tuple[Path, int]:
    while True:
        held = Path(tempfile.mkdtemp(prefix=prefix))
        # It may have been swept before it is held: then another is made.
        with suppress(FileNotFoundError):
            descriptor = os.open(held, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            if held.exists():
                # To be passed through, by a user that the folder inside is given to.
                os.fchmod(descriptor, 0o711)
                return held, descriptor
            os.close(descriptor)


def _sweep(place: Path, prefix: str) -> None:
    """Remove what nobody holds; not what is another user's, or a link."""
    with suppress(OSError), os.scandir(place) as entries:
        names = [entry.name for entry in entries if entry.name.startswith(prefix)]
        for name in names:
            with suppress(OSError):
                _remove(place / name)


def _remove(left: Path) -> None:
    descriptor = os.open(left, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    try:
        owner = os.fstat(descriptor).st_uid
        # Held by a living process: BlockingIOError, and it stays.
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if owner == os.getuid() and stat.S_ISDIR(left.lstat().st_mode):
            shutil.rmtree(left, ignore_errors=True)
    finally:
        os.close(descriptor)
