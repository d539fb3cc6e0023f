"""Where a pulled bundle goes: a folder, or a file that stays an archive.

Written out of sight, it comes into sight whole, by one rename. Nothing is replaced.
"""

from __future__ import annotations

import errno
import os
import uuid
from collections.abc import Iterable
from pathlib import Path

from bundle.archive import DEFAULT_LIMITS, Limits, unpack
from bundle.disk import refusal
from bundle.errors import ArchiveError, TooLarge
from bundle.staging import Staging, sync, sync_tree
from runtime.admin import Reader
from runtime.admin.errors import AdminError, ServerFailed, WorkFailed

_ARCHIVES = (".tar.gz", ".tgz")


class Destination:
    """A folder, or a file if its name is an archive's.

    Args:
        path: as it was typed.
    """

    def __init__(self, path: Path) -> None:
        self._given = path
        # A link stays a link, and what it points to is filled.
        self._path = path.resolve()
        self._is_file = path.name.endswith(_ARCHIVES)
        self._staging = Staging(self._path.parent)

    def check(self) -> None:
        """Refuse what would be replaced, and remove what crashed pulls left.

        Raises:
            AdminError: something is there.
        """
        try:
            self._staging.sweep()
            if not self._path.exists():
                return
            if self._is_file or not self._path.is_dir():
                raise self._refused("is there already")
            if any(self._path.iterdir()):
                raise self._refused("is a folder that is not empty")
            if self._path.is_mount() or Path.cwd().is_relative_to(self._path):
                raise self._refused("is a mount point or the folder you are in")
        except OSError as ex:
            raise self._failed(ex) from ex

    def save(self, chunks: Iterable[bytes], size: int) -> None:
        """Take a tar.gz.

        Args:
            chunks: its bytes.
            size: what its sender says that the bundle's files have, in bytes.

        Raises:
            AdminError: something is there by now.
            ServerFailed: the archive is none that can be taken.
            WorkFailed: the disk is full or not writable.
        """
        try:
            if self._is_file:
                self._write(chunks)
            else:
                self._unpack(chunks, size)
        except OSError as ex:
            if ex.errno in (errno.ENOTEMPTY, errno.EEXIST, errno.ENOTDIR):
                raise self._refused("was made by somebody else meanwhile") from ex
            raise self._failed(ex) from ex
        except (ArchiveError, TooLarge) as ex:
            raise ServerFailed(f"what was sent is no bundle's archive: {ex}") from ex

    def _unpack(self, chunks: Iterable[bytes], size: int) -> None:
        # Twice: of small files, the tar's own blocks are as large as they.
        limits = Limits(total_bytes=max(DEFAULT_LIMITS.total_bytes, 2 * size))
        with self._staging.folder() as staged:
            unpack(Reader(chunks), staged, gzipped=True, limits=limits)
            sync_tree(staged)
            # An empty folder gives way, and no other.
            staged.rename(self._path)
        sync(self._path.parent)

    def _write(self, chunks: Iterable[bytes]) -> None:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        hidden = f".{self._path.name}.{uuid.uuid4().hex}"
        temporary = self._path.with_name(hidden)
        try:
            with temporary.open("xb") as stream:
                for chunk in chunks:
                    stream.write(chunk)
                stream.flush()
                os.fsync(stream.fileno())
            self.check()
            temporary.rename(self._path)
        finally:
            temporary.unlink(missing_ok=True)
        sync(self._path.parent)

    def _refused(self, why: str) -> AdminError:
        return AdminError(
            f"{self._given} {why}, and is not replaced; name another with --output"
        )

    def _failed(self, ex: OSError) -> WorkFailed:
        other = "name another place with --output"
        return WorkFailed(f"{self._given} cannot be written: {refusal(ex, other)}")
