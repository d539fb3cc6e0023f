"""Trash: a deleted folder is moved there by one rename, and then removed."""

from __future__ import annotations

import contextlib
import shutil
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

from bundle.staging import MADE

FOLDER_NAME = ".trash"


class Trash:
    """The trash of one place, on the same file system as that place.

    Args:
        place: the folder whose folders are deleted.
    """

    def __init__(self, place: Path) -> None:
        self._root = place / FOLDER_NAME

    def sweep(self) -> None:
        """Remove the folders that crashed deletions left."""
        with contextlib.suppress(OSError):
            for left in self._root.iterdir():
                # Other files in a folder of this name may be somebody's own.
                if MADE.fullmatch(left.name):
                    _remove_tree(left)
            self._root.rmdir()

    @contextlib.contextmanager
    def graves(self) -> Iterator[Callable[[Path], None]]:
        """Give a function that moves a folder into the trash by ONE rename.

        The moved folders are removed at the end of the block. Locks that the block held
        are released by then, so nobody waits for the removal.
        """
        graves: list[Path] = []

        def bury(folder: Path) -> None:
            graves.append(self._root / uuid.uuid4().hex)
            while True:
                with contextlib.suppress(FileExistsError):
                    self._root.mkdir()
                try:
                    folder.rename(graves[-1])
                    return
                except FileNotFoundError:
                    # Another deletion may have removed the empty trash at its end.
                    if not folder.is_dir() or self._root.is_symlink():
                        raise

        try:
            yield bury
        finally:
            for grave in graves:
                _remove_tree(grave)
            if graves:
                with contextlib.suppress(OSError):  # it holds other deletions' folders
                    self._root.rmdir()


def _remove_tree(folder: Path) -> None:
    # A version that is just being published may still arrive in its model's moved
    # folder, once in each turn.
    for _ in range(100):
        if folder.is_symlink():  # put there by hand; its target is not the store's
            with contextlib.suppress(OSError):
                folder.unlink()
        shutil.rmtree(folder, ignore_errors=True)
        if not folder.exists():
            break
