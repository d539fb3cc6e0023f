"""A folder is written out of sight, and comes into sight whole, by one rename.

Who writes holds a lock on its staging folder, which the kernel lets go when the
process ends, however it ends. So what nobody holds was left by a crash, and may go,
even while other processes stage beside it.
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

# What staging and trash name their folders; whatever else lies there is somebody's.
MADE = re.compile(r"[0-9a-f]{32}")

# Two renames and their fsyncs take milliseconds; a disk that is busy, seconds.
LOCK_SECONDS = 10.0
LOCK_PAUSE = 0.01

# Copied at a time.
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
        """Give an empty folder to write into; what is left in it at the end goes."""
        held, descriptor = self._hold_new()
        try:
            staged = held / "new"
            staged.mkdir()
            yield staged
        finally:
            shutil.rmtree(held, ignore_errors=True)
            os.close(descriptor)
            with suppress(OSError):  # others stage beside it
                self._root.rmdir()

    def sweep(self) -> None:
        """Remove what crashed writers left."""
        for left in _folders(self._root):
            if not MADE.fullmatch(left.name):
                continue
            with suppress(OSError):
                descriptor = os.open(left, os.O_RDONLY | os.O_DIRECTORY)
                try:
                    # Held by a living writer: BlockingIOError, and it stays.
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
            # Another writer's end may take the empty root away in between, and a
            # sweep may take a folder that is made and not held yet: try again.
            # Not Path.mkdir(exist_ok=True): it fails if the root goes as it looks.
            with suppress(FileExistsError):
                self._root.mkdir()
            try:
                held.mkdir()
                descriptor = os.open(held, os.O_RDONLY | os.O_DIRECTORY)
            except FileNotFoundError:
                if self._root.is_symlink():  # to what is not there
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
    """Hold a folder: alone to change several of its files, shared to read them.

    The kernel lets go when the process ends, however it ends. Who deletes a folder
    does not wait for its readers: they are told at the end of the block.

    Args:
        folder: what is held.
        shared: others may read it meanwhile.
        seconds: to wait for others at most.

    Raises:
        FileNotFoundError: it is not there; or, where it is shared, it went while it was
            read, and so may some of its files before they were seen.
        TimeoutError: somebody else holds it, for longer than any such change takes.
    """
    kind = fcntl.LOCK_SH if shared else fcntl.LOCK_EX
    end = time.monotonic() + seconds
    while True:
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
        try:
            _wait_for(descriptor, kind, end)
            # Another may stand there by now, and this one lie in the trash.
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
    """Bring every file and folder below ``folder``, and itself, to the disk."""
    for parent, _, files in os.walk(folder):
        for name in files:
            sync(Path(parent, name))
        sync(Path(parent))


def sync(path: Path) -> None:
    """Bring one file, or one folder's list of names, to the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def replace_file(path: Path, data: bytes) -> None:
    """Write a file whole or not at all: a temporary one beside it, then one rename."""
    replace_files(path.parent, {path.name: data})


def replace_files(folder: Path, contents: Mapping[str, bytes | Path]) -> None:
    """Write several files of a folder, each whole or not at all, one after the other.

    All are written beside their places before the first rename: a disk that gets full
    leaves every file as it was.

    Args:
        folder: where they go.
        contents: by name, in the order of the renames: bytes, or a file to copy.

    Raises:
        OSError: one cannot be written; none was replaced, unless it is a rename that
            failed.
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
    except OSError:  # not there; or not readable, which the first write will tell
        return []
