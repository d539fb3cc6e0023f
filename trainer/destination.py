"""The destination of a bundle: the store, or a folder of its own.

Both write the bundle into a hidden folder, check it, and publish it by a rename.
``check`` refuses a wrong destination before the training, whose time would be lost.
Only files that a training wrote are ever replaced.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path, PurePosixPath
from typing import Protocol

from bundle.disk import refusal
from bundle.errors import StoreError
from bundle.folder import open_bundle
from bundle.manifest import FILE_NAME as MANIFEST
from bundle.manifest import verify_manifest
from bundle.objects.address import Place
from bundle.objects.opening import open_store
from bundle.staging import Staging, sync, sync_tree
from bundle.variants import EXPORTED
from trainer.errors import DestinationError, WriteFailed
from trainer.exchange import exchange

# A killed exporter leaves files beside its own whose paths begin so.
_TEMPORARY = tuple(
    PurePosixPath(name).with_name(f".{PurePosixPath(name).name}.").as_posix()
    for name in EXPORTED
)


# Even the smallest network takes more, with its graph, its report and its sample.
_LEAST_BYTES = 1 << 20


class Destination(Protocol):
    """The destination of a bundle."""

    def check(self) -> bool:
        """Check that a bundle can be written, and remove crashed trainings' leftovers.

        Returns:
            True if there is a bundle that will be replaced.

        Raises:
            DestinationError: a bundle may not be written there.
            WriteFailed: the disk is full, or fails.
        """

    def publish(self, write: Callable[[Path], None]) -> Path:
        """Let ``write`` fill an empty folder, and publish that folder.

        An error leaves the earlier files as they were.

        Returns:
            The bundle's folder.

        Raises:
            WriteFailed: the disk refuses it.
            DomainError: the folder is no whole bundle.
        """

    def told(self, path: Path) -> str:
        """Return the place of a published bundle as people are told it.

        Args:
            path: the path that ``publish`` returned.
        """


class StoreDestination:
    """The next version of the model in the store.

    Args:
        place: the store's folder, made when needed; or the URL of an object store.
        keep: the number of versions that the model keeps; see ``ModelStore``.
    """

    def __init__(self, place: Place, keep: int = 0) -> None:
        self._place = place
        self._keep = keep

    def check(self) -> bool:
        """See ``Destination``; a new version replaces none, so it returns False."""
        if isinstance(self._place, Path):
            _check_writable(self._place)
            Staging(self._place).sweep()
            return False
        store = open_store(self._place, self._keep)
        store.check_writable()
        _check_writable(store.root)
        store.sweep()
        return False

    def publish(self, write: Callable[[Path], None]) -> Path:
        """See ``Destination``; it returns ``<root>/<name>/<version>``."""
        try:
            return open_store(self._place, self._keep).install(write).path
        except StoreError as ex:
            if not isinstance(ex.__cause__, OSError):
                raise
            raise _failed(self._place, ex.__cause__, "--models-dir") from ex

    def told(self, path: Path) -> str:
        """See ``Destination``."""
        if isinstance(self._place, Path):
            return str(path)
        # The path is that of this machine's copy, which may be gone tomorrow.
        return f"{self._place}, as {path.parent.name}:{path.name}"


class FolderDestination:
    """A folder with a flat bundle; it replaces an earlier bundle there.

    Args:
        path: its folder; made when needed.
    """

    def __init__(self, path: Path) -> None:
        self._given = path
        # A link stays a link, and its target is replaced.
        self._path = path.resolve()
        self._staging = Staging(self._path.parent)
        # The earlier bundle waits here if the two cannot be exchanged in one step. It
        # must not wait in the staging, where a sweep after a crash would remove it.
        self._before = self._path.parent / f".{self._path.name}.before"

    def check(self) -> bool:
        """See ``Destination``."""
        try:
            self._recover()
            self._check_replaceable()
            _check_writable(self._path.parent)
            self._staging.sweep()
            return self._holds_something()
        except OSError as ex:
            raise _failed(self._given, ex, "--fout") from ex

    def publish(self, write: Callable[[Path], None]) -> Path:
        """See ``Destination``; it returns the given path."""
        try:
            with self._staging.folder() as staged:
                write(staged)
                verify_manifest(staged)
                open_bundle(staged)
                sync_tree(staged)
                self._check_replaceable()  # again, after the long training
                self._replace(staged)
        except OSError as ex:
            raise _failed(self._given, ex, "--fout") from ex
        return self._given

    def told(self, path: Path) -> str:
        """See ``Destination``."""
        return str(path)

    def _holds_something(self) -> bool:
        return self._path.exists() and any(self._path.iterdir())

    def _check_replaceable(self) -> None:
        if not self._path.exists():
            return
        if not self._path.is_dir():
            raise DestinationError(
                f"{self._given} is a file; give a folder with --fout"
            )
        if self._path.is_mount() or Path.cwd().is_relative_to(self._path):
            raise DestinationError(
                f"{self._given} is a mount point or the folder you are in, and cannot"
                " be replaced; name a new folder inside it with --fout"
            )
        if foreign := _first_foreign(self._path):
            raise DestinationError(
                f"{self._given} holds {foreign}, which is no part of a bundle that a"
                " training wrote; give another folder with --fout"
            )

    def _replace(self, staged: Path) -> None:
        # A rename can replace an empty folder, too. After an exchange, the earlier
        # bundle lies in the staging folder, and is removed with it.
        if not self._holds_something():
            staged.rename(self._path)
        elif not exchange(staged, self._path):
            self._path.rename(self._before)
            try:
                staged.rename(self._path)
            except OSError:
                self._before.rename(self._path)
                raise
            self._before.rename(staged)
        sync(self._path.parent)

    def _recover(self) -> None:
        """Finish a ``_replace`` that a crash broke off."""
        if not self._before.is_dir():
            return
        if not self._holds_something():
            self._before.rename(self._path)
        elif _first_foreign(self._before) is None:
            shutil.rmtree(self._before)


def _first_foreign(folder: Path) -> str | None:
    """Find the first file below ``folder`` that neither trainer nor exporter wrote.

    Returns:
        Its path below ``folder``; None if there is none.
    """
    listed = _listed(folder)
    for name in _files(folder):
        # A folder whose name begins so belongs to somebody else.
        is_left = any(
            name.startswith(start) and "/" not in name[len(start) :]
            for start in _TEMPORARY
        )
        added = name in (MANIFEST, *EXPORTED) or is_left
        if name not in listed and not (listed and added):
            return name
    return None


def _listed(folder: Path) -> frozenset[str]:
    """List the files in a bundle's manifest.json; none if there is no such list."""
    try:
        return frozenset(json.loads((folder / MANIFEST).read_bytes())["sha256"])
    # The file is not there, or is somebody else's file of that name.
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return frozenset()


def _files(folder: Path) -> Iterator[str]:
    """List all files and links, also links to folders, as paths below ``folder``."""

    def fail(ex: OSError) -> None:
        raise ex

    for parent, folders, names in os.walk(folder, onerror=fail):
        links = [name for name in folders if Path(parent, name).is_symlink()]
        for name in sorted([*names, *links]):
            yield Path(parent, name).relative_to(folder).as_posix()
        folders.sort()


def _failed(given: Place, ex: OSError, option: str) -> WriteFailed:
    # The file's own path would not help: it lies in a hidden staging folder.
    other = f"give another folder with {option}"
    return WriteFailed(f"{given} cannot be written: {refusal(ex, other)}")


def _check_writable(folder: Path) -> None:
    there = folder
    while not there.exists() and there != there.parent:
        there = there.parent
    if not there.is_dir():
        raise DestinationError(f"{there} is a file, and a folder is needed there")
    if not os.access(there, os.W_OK | os.X_OK):
        raise DestinationError(
            f"{there} is not writable; give another folder or change its permissions"
        )
    # The training is lost if nothing can be written after it. Some virtual file systems
    # say that they have no bytes at all.
    total, _, free = shutil.disk_usage(there)
    if total and free < _LEAST_BYTES:
        raise WriteFailed(
            f"{there} cannot be written: {free} bytes are left on that disk, and a"
            f" bundle takes more than {_LEAST_BYTES}; make room there, or give another"
            " folder"
        )
