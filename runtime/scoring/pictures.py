"""The source of pictures: a folder of them, or files."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from pathlib import Path

from bundle.decode import PICTURES
from runtime.admin.errors import AdminError
from runtime.scoring.chunks import Chunk, Files, Kept
from runtime.scoring.files import identity_of, text_of, unreadable


class PictureFiles:
    """Files of pictures, in a given order.

    Args:
        names: the name of each picture in the output.
        paths: the file of each.
        kept: the columns that are kept.
        columns: their values, one for each picture.
        beside: other files whose change is a change of the input.
    """

    def __init__(
        self,
        names: Sequence[str],
        paths: Sequence[str],
        kept: tuple[Kept, ...] = (),
        columns: tuple[Sequence[str], ...] = (),
        beside: Sequence[Path] = (),
    ) -> None:
        self._names = names
        self._paths = paths
        self._columns = columns
        self._beside = beside
        self.kept = kept
        self.total = len(paths)

    @property
    def identity(self) -> str:
        """See ``Source``."""
        return identity_of((*self._beside, *self._paths))

    def chunks(self, size: int, done: int) -> Iterator[Chunk]:
        """See ``Source``."""
        for first in range(done, self.total, size):
            part = slice(first, first + size)
            yield Chunk(
                self._names[part],
                Files(list(self._paths[part])),
                tuple(column[part] for column in self._columns),
            )


def pictures_of(inputs: Sequence[Path]) -> PictureFiles:
    """Find the pictures in folders and among files.

    A folder is looked through with all folders below it, in the order of the names.
    Names that begin with a dot are left out.

    Args:
        inputs: folders and files. A picture of the only folder is named by its path
            below that; all others by the path that was typed.

    Raises:
        AdminError: a folder has no pictures, or cannot be read.
    """
    names: list[str] = []
    paths: list[str] = []
    for given in inputs:
        if not given.is_dir():
            names.append(text_of(given))
            paths.append(str(given))
            continue
        found = _below(given)
        if not found:
            raise AdminError(
                f"{text_of(given)} has no pictures: no name in it ends with"
                f" {', '.join(PICTURES[:-1])} or {PICTURES[-1]}"
            )
        theirs = [f"{given}/{'/'.join(parts)}" for parts in found]
        paths += theirs
        if len(inputs) == 1:
            theirs = ["/".join(parts) for parts in found]
        names += map(text_of, theirs)
    return PictureFiles(names, paths)


def _below(folder: Path) -> list[tuple[str, ...]]:
    """Find the pictures below a folder, each as the names on the way to it."""

    def refuse(ex: OSError) -> None:
        raise unreadable(Path(ex.filename or folder), ex) from ex

    found: list[tuple[str, ...]] = []
    for place, folders, files in os.walk(folder, onerror=refuse):
        folders[:] = [name for name in folders if not name.startswith(".")]
        above = Path(place).relative_to(folder).parts
        found += [
            (*above, name)
            for name in files
            if not name.startswith(".") and name.lower().endswith(PICTURES)
        ]
    return sorted(found)
