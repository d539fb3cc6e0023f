"""Staging: a folder is written in a hidden place and published whole, by one rename.

A writer holds a lock on its staging folder. The kernel releases the lock when the
process ends, however it ends. So a staging folder that nobody holds was left by a
crash, and may be removed even while other processes write beside it.
"""

from __future__ import annotations

import errno
import fcntl
import os
import re
import shutil
import time
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

FOLDER_NAME = ".staging"

# Staging and trash give their folders such names. Anything else there is somebody's
# own.
MADE = re.compile(r"[0-9a-f]{32}")

# Two renames and their fsyncs take milliseconds, and seconds on a busy disk.
LOCK_SECONDS = 10.0
LOCK_PAUSE = 0.01

# A file is copied in pieces of this many bytes.
_CHUNK = 1 << 20


class Staging:
    """The staging folders of one place, on the same file system as that place.

    Args:
        place: the folder that finished folders are renamed into.
    """

    def __init__(self, place: Path) -> None:
        self._place = place
        self._root = place / FOLDER_NAME

    @contextmanager
    def folder(self) -> Iterator[Path]:
        """Give an empty folder to write into; remove what is left in it at the end."""
        held, descriptor = self._hold_new()
        try:
            staged = held / "new"
            staged.mkdir()
            yield staged
        finally:
            shutil.rmtree(held, ignore_errors=True)
            os.close(descriptor)
            with suppress(OSError):  # other writers have folders in it
                self._root.rmdir()

    def sweep(self) -> None:
        """Remove the folders that crashed writers left."""
        for left in _folders(self._root):
            if not MADE.fullmatch(left.name):
                continue
            with suppress(OSError):
                descriptor = os.open(left, os.O_RDONLY | os.O_DIRECTORY)
                try:
                    # BlockingIOError means that a living writer holds it, so it stays.
                    fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    shutil.rmtree(left, ignore_errors=True)
                finally:
                    os.close(descriptor)
        with suppress(OSError):
            self._root.rmdir()

    def _hold_new(self) -> tuple[Path, int]:
        self._place.mkdir(parents=True, exist_ok=True)
        while True:
            held = self._root / uuid.uuid4().hex
            # Another writer may remove the empty root in between, and a sweep may
            # remove a folder that is made and not held yet: then try again.
            # Path.mkdir(exist_ok=True) fails if the root is removed while it looks.
            with suppress(FileExistsError):
                self._root.mkdir()
            try:
                held.mkdir()
                descriptor = os.open(held, os.O_RDONLY | os.O_DIRECTORY)
            except FileNotFoundError:
                if self._root.is_symlink():  # its target is not there
                    raise
                continue
            except OSError:
                with suppress(OSError):
                    held.rmdir()
                with suppress(OSError):
                    self._root.rmdir()
                raise
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            if held.exists():
                return held, descriptor
            os.close(descriptor)


@contextmanager
def locked(
    folder: Path, *, shared: bool = False, seconds: float = LOCK_SECONDS
) -> Iterator[None]:
    """Lock a folder: alone to change several of its files, or shared to read them.

    The kernel releases the lock when the process ends, however it ends. A deletion does
    not wait for readers; they get an error at the end of the block.

    Args:
        folder: the folder to lock.
        shared: others may read it at the same time.
        seconds: the longest wait for others.

    Raises:
        FileNotFoundError: the folder is not there. With ``shared``: it was deleted
            during the block, so some of its files may have been missing already.
        TimeoutError: somebody else held it for longer than any such change takes.
    """
    kind = fcntl.LOCK_SH if shared else fcntl.LOCK_EX
    end = time.monotonic() + seconds
    while True:
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
        try:
            _wait_for(descriptor, kind, end)
            # This folder may be in the trash by now, and another one in its place.
            if _is_at(descriptor, folder):
                yield
                if shared and not _is_at(descriptor, folder):
                    raise FileNotFoundError(
                        errno.ENOENT, "it was taken away while it was read"
                    )
                return
        finally:
            os.close(descriptor)


def _is_at(descriptor: int, folder: Path) -> bool:
    return os.path.samestat(os.fstat(descriptor), folder.stat())


def _wait_for(descriptor: int, kind: int, end: float) -> None:
    while True:
        try:
            fcntl.flock(descriptor, kind | fcntl.LOCK_NB)
            return
        except BlockingIOError:
            if time.monotonic() > end:
                raise TimeoutError(
                    errno.ETIMEDOUT, "another process is changing it"
                ) from None
            time.sleep(LOCK_PAUSE)


def sync_tree(folder: Path) -> None:
    """Write ``folder``, and every file and folder below it, through to the disk."""
    for parent, _, files in os.walk(folder):
        for name in files:
            sync(Path(parent, name))
        sync(Path(parent))


def sync(path: Path) -> None:
    """Write one file, or one folder's list of names, through to the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def replace_file(path: Path, data: bytes) -> None:
    """Write a file whole or not at all, by a temporary file and one rename."""
    replace_files(path.parent, {path.name: data})


def replace_files(folder: Path, contents: Mapping[str, bytes | Path]) -> None:
    """Write several files of a folder, each whole or not at all, one after the other.

    All temporary files are written before the first rename, so a disk that gets full
    leaves every file as it was.

    Args:
        folder: the folder of the files.
        contents: bytes, or a file to copy, by the file's name; the files are renamed in
            this order.

    Raises:
        OSError: a file cannot be written, and none was replaced; or a rename failed,
            and those before it were replaced.
    """
    temporary = {name: folder / f".{name}.{uuid.uuid4().hex}" for name in contents}
    try:
        for name, content in contents.items():
            with temporary[name].open("xb") as stream:
                if isinstance(content, bytes):
                    stream.write(content)
                else:
                    with content.open("rb") as copied:
                        shutil.copyfileobj(copied, stream, _CHUNK)
                stream.flush()
                os.fsync(stream.fileno())
        for name, path in temporary.items():
            path.replace(folder / name)
    finally:
        for path in temporary.values():
            path.unlink(missing_ok=True)
    sync(folder)


def _folders(root: Path) -> list[Path]:
    try:
        return list(root.iterdir())
    except OSError:  # not there, or not readable; then the first write will fail
        return []
