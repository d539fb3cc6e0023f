"""Folders for temporary files, which go even if their process is killed.

Nobody else can be first to have such a folder: each has a name of its own, that the
system makes. It lies in a folder that this process holds a lock on, so that others tell
those of the living from those that were left.
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
        _remove_all(held)
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
                _remove_left(place / name)


def _remove_left(left: Path) -> None:
    descriptor = os.open(left, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    try:
        owner = os.fstat(descriptor).st_uid
        # Held by a living process: BlockingIOError, and it stays.
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if owner == os.getuid() and stat.S_ISDIR(left.lstat().st_mode):
            _remove_all(left)
    finally:
        os.close(descriptor)


def _remove_all(folder: Path) -> None:
    """Remove a folder with all that is in it; what cannot be removed stays.

    A stranger's code may have made a thousand folders in one another, of which no path
    is short enough for the system, nor ``shutil.rmtree`` of Python 3.11 for its stack;
    or some that nobody may list. So each is brought to the top and emptied there.
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
                    # An empty folder gives way to it.
                    tops.append(Path(tempfile.mkdtemp(dir=folder)))
                    path.rename(tops[-1])
        if top != folder:
            with suppress(OSError):
                top.rmdir()
    with suppress(OSError):
        folder.rmdir()
