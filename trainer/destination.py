"""Where a bundle goes: the store, or a folder of its own.

Both write out of sight, check the bundle whole, and bring it into sight by a rename.
What can be refused is refused by ``check``, before a training is spent on it. Nothing
is replaced but what a training wrote.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Protocol

from bundle.disk import refusal
from bundle.errors import StoreError
from bundle.folder import open_bundle
from bundle.manifest import FILE_NAME as MANIFEST
from bundle.manifest import verify_manifest
from bundle.staging import Staging, sync, sync_tree
from bundle.store import ModelStore
from bundle.variants import EXPORTED
from trainer.errors import DestinationError, WriteFailed
from trainer.exchange import exchange

# What the exporter leaves beside its files if it is killed.
_TEMPORARY = tuple(f".{name}." for name in EXPORTED)


# The smallest network with its graph, its report and its sample takes more.
_LEAST_BYTES = 1 << 20


class Destination(Protocol):
    """Where a bundle goes."""

    def check(self) -> bool:
        """Refuse what cannot work, and remove what crashed trainings left.

        Returns:
            Whether a bundle is there that will be replaced.

        Raises:
            DestinationError: a bundle may not be written there.
            WriteFailed: the disk is full, or fails.
        """

    def publish(self, write: Callable[[Path], None]) -> Path:
        """Let ``write`` fill an empty folder, and put that in its place.

        Returns:
            The bundle's folder.

        Raises:
            WriteFailed: the disk refuses it.
            DomainError: it is no whole bundle. After any error, the files that were
                there are still there.
        """


class StoreDestination:
    """The next version of the model in the store.

    Args:
        root: the store's folder; made when needed.
        keep: versions left of the model; see ``ModelStore``.
    """

    def __init__(self, root: Path, keep: int = 0) -> None:
        self._root = root
        self._keep = keep

    def check(self) -> bool:
        """As ``Destination``; False, for a new version replaces none."""
        _check_writable(self._root)
        Staging(self._root).sweep()
        return False

    def publish(self, write: Callable[[Path], None]) -> Path:
        """As ``Destination``; returns ``<root>/<name>/<version>``."""
        try:
            return ModelStore(self._root, self._keep).install(write).path
        except StoreError as ex:
            if not isinstance(ex.__cause__, OSError):
                raise
            raise _failed(self._root, ex.__cause__, "--models-dir") from ex


class FolderDestination:
    """A flat bundle; an earlier one there is replaced.

    Args:
        path: its folder; made when needed.
    """

    def __init__(self, path: Path) -> None:
        self._given = path
        # A link stays a link, and what it points to is replaced.
        self._path = path.resolve()
        self._staging = Staging(self._path.parent)
        # Where the earlier bundle waits if it cannot be exchanged for the new one at
        # once; not in the staging, or the sweep after a crash would take it.
        self._before = self._path.parent / f".{self._path.name}.before"

    def check(self) -> bool:
        """As ``Destination``."""
        try:
            self._recover()
            self._check_replaceable()
            _check_writable(self._path.parent)
            self._staging.sweep()
            return self._holds_something()
        except OSError as ex:
            raise _failed(self._given, ex, "--fout") from ex

    def publish(self, write: Callable[[Path], None]) -> Path:
        """As ``Destination``; returns the path as it was given."""
        try:
            with self._staging.folder() as staged:
                write(staged)
                verify_manifest(staged)
                open_bundle(staged)
                sync_tree(staged)
                self._check_replaceable()  # once more: training took its time
                self._replace(staged)
        except OSError as ex:
            raise _failed(self._given, ex, "--fout") from ex
        return self._given

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
        # A rename takes the place of an empty folder as well. What was exchanged lies
        # where the new bundle was staged, and goes when the staging ends.
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
        """Take up what a crash left in the middle of ``_replace``."""
        if not self._before.is_dir():
            return
        if not self._holds_something():
            self._before.rename(self._path)
        elif _first_foreign(self._before) is None:
            shutil.rmtree(self._before)


def _first_foreign(folder: Path) -> str | None:
    """The first file below ``folder`` that neither trainer nor exporter wrote.

    Returns:
        Its path below ``folder``; None if there is none.
    """
    listed = _listed(folder)
    for name in _files(folder):
        # Of the bundle's own folder: a folder of such a name is somebody's.
        is_left = name.startswith(_TEMPORARY) and "/" not in name
        added = name in (MANIFEST, *EXPORTED) or is_left
        if name not in listed and not (listed and added):
            return name
    return None


def _listed(folder: Path) -> frozenset[str]:
    """The files in a bundle's manifest.json; none if there is no such list."""
    try:
        return frozenset(json.loads((folder / MANIFEST).read_bytes())["sha256"])
    # Not there, or somebody else's file of that name.
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return frozenset()


def _files(folder: Path) -> Iterator[str]:
    """All that is not a folder, links to folders too, as paths below ``folder``."""

    def fail(ex: OSError) -> None:
        raise ex

    for parent, folders, names in os.walk(folder, onerror=fail):
        links = [name for name in folders if Path(parent, name).is_symlink()]
        for name in sorted([*names, *links]):
            yield Path(parent, name).relative_to(folder).as_posix()
        folders.sort()


def _failed(given: Path, ex: OSError, option: str) -> WriteFailed:
    # Not the file's own path: it lies in a staging folder, which nobody knows of.
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
    # The training is lost if nothing can be written after it. Some file systems that
    # are no disk say that they have no bytes at all.
    total, _, free = shutil.disk_usage(there)
    if total and free < _LEAST_BYTES:
        raise WriteFailed(
            f"{there} cannot be written: {free} bytes are left on that disk, and a"
            f" bundle takes more than {_LEAST_BYTES}; make room there, or give another"
            " folder"
        )
