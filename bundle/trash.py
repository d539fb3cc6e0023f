"""What is deleted goes out of sight by one rename, and is removed there."""

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
        place: the folder that folders are taken out of.
    """

    def __init__(self, place: Path) -> None:
        self._root = place / FOLDER_NAME

    def sweep(self) -> None:
        """Remove what crashed deletes left."""
        with contextlib.suppress(OSError):
            for left in self._root.iterdir():
                # A folder of this name may be somebody's, and what is in it, too.
                if MADE.fullmatch(left.name):
                    _remove_tree(left)
            self._root.rmdir()

    @contextlib.contextmanager
    def graves(self) -> Iterator[Callable[[Path], None]]:
        """Give a function that takes a folder out of its place by ONE rename.

        What it took is removed at the end of the block, when nobody waits for a lock
        that was held meanwhile.
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
                    # The end of another delete may have taken the trash away.
                    if not folder.is_dir() or self._root.is_symlink():
                        raise

        try:
            yield bury
        finally:
            for grave in graves:
                _remove_tree(grave)
            if graves:
                with contextlib.suppress(OSError):  # others are in it
                    self._root.rmdir()


def _remove_tree(folder: Path) -> None:
    # Versions whose publication was under way may follow their model's folder into the
    # grave, each behind the back of one turn.
    for _ in range(100):
        if folder.is_symlink():  # put by hand; what it points to is not the store's
            with contextlib.suppress(OSError):
                folder.unlink()
        shutil.rmtree(folder, ignore_errors=True)
        if not folder.exists():
            break
