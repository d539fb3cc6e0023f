"""The destination of a pulled bundle: a folder, or a file that stays an archive.

The bundle is written under a hidden name, and one rename gives it its own name when it
is whole. It never replaces a file, or a folder that has files.
"""

from __future__ import annotations

import errno
import os
import uuid
from collections.abc import Iterable
from pathlib import Path

from bundle.archive import unpack
from bundle.disk import refusal
from bundle.errors import ArchiveError, TooLarge
from bundle.staging import Staging, sync, sync_tree
from bundle.upload import DEFAULT_LIMITS, Limits
from runtime.admin import Reader
from runtime.admin.errors import AdminError, ServerFailed, WorkFailed

_ARCHIVES = (".tar.gz", ".tgz")


class Destination:
    """A folder, or a file if its name is an archive's.

    Args:
        path: the path that the person typed.
    """

    def __init__(self, path: Path) -> None:
        self._given = path
        # A link stays a link; the bundle goes to the place that it points to.
        self._path = path.resolve()
        self._is_file = path.name.endswith(_ARCHIVES)
        self._staging = Staging(self._path.parent)

    def check(self) -> None:
        """Refuse a destination that has files; remove the rest of crashed pulls.

        Raises:
            AdminError: there is a file, or a folder that is not empty.
            WorkFailed: the disk is not readable or not writable.
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
        """Save a tar.gz, or its content if the destination is a folder.

        Args:
            chunks: the bytes of the tar.gz.
            size: the size of the bundle's files in bytes, by the sender's word.

        Raises:
            AdminError: somebody made a file or a folder there meanwhile.
            ServerFailed: the archive is damaged, too large, or not a bundle's.
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
            raise ServerFailed(f"the server sent no bundle's archive: {ex}") from ex

    def _unpack(self, chunks: Iterable[bytes], size: int) -> None:
        # Small files need twice their size, because the tar's headers are as large.
        limits = Limits(total_bytes=max(DEFAULT_LIMITS.total_bytes, 2 * size))
        with self._staging.folder() as staged:
            unpack(Reader(chunks), staged, gzipped=True, limits=limits)
            sync_tree(staged)
            # A rename replaces an empty folder, but no other folder.
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
            f"{self._given} {why}, and is not replaced; name another place with"
            " --output"
        )

    def _failed(self, ex: OSError) -> WorkFailed:
        other = "name another place with --output"
        return WorkFailed(f"{self._given} cannot be written: {refusal(ex, other)}")
