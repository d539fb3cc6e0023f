"""Where a bundle goes: the store, or a folder of its own.

Both write out of sight, check the bundle whole, and bring it into sight by a rename.
What can be refused is refused by ``check``, before a training is spent on it.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

from bundle.folder import open_bundle
from bundle.manifest import verify_manifest
from bundle.params import FILE_NAME as PARAMS
from bundle.staging import Staging, sync, sync_tree
from bundle.store import ModelStore
from trainer.errors import DestinationError


class Destination(Protocol):
    """Where a bundle goes."""

    def check(self) -> None:
        """Refuse what cannot work, and remove what crashed trainings left.

        Raises:
            DestinationError: a bundle cannot be written there.
        """

    def publish(self, write: Callable[[Path], None]) -> Path:
        """Let ``write`` fill an empty folder, and put that in its place.

        Returns:
            The bundle's folder.

        Raises:
            DomainError: it cannot be written or is no whole bundle. Whatever is
                raised, what was there is still there.
        """


class StoreDestination:
    """The next version of the model in the store.

    Args:
        root: the store's folder; made when needed.
    """

    def __init__(self, root: Path) -> None:
        self._root = root

    def check(self) -> None:
        """As ``Destination``."""
        _check_writable(self._root)
        Staging(self._root).sweep()

    def publish(self, write: Callable[[Path], None]) -> Path:
        """As ``Destination``; returns ``<root>/<name>/<version>``."""
        return ModelStore(self._root).install(write).path


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

    def check(self) -> None:
        """As ``Destination``."""
        self._check_replaceable()
        _check_writable(self._path.parent)
        self._staging.sweep()

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
            raise DestinationError(
                f"{self._given} cannot be written: {ex.strerror}"
            ) from ex
        return self._given

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
        if any(self._path.iterdir()) and not (self._path / PARAMS).is_file():
            raise DestinationError(
                f"{self._given} is not empty and holds no bundle; give another folder"
                " with --fout"
            )

    def _replace(self, staged: Path) -> None:
        if not self._path.exists():
            staged.rename(self._path)
        else:
            # What is moved beside the staged folder goes when the staging ends.
            old = staged.with_name("old")
            self._path.rename(old)
            try:
                staged.rename(self._path)
            except OSError:
                old.rename(self._path)
                raise
        sync(self._path.parent)


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
