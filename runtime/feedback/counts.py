"""The numbers of pictures and rows that the folder of the feedback holds.

They stand in a file of the folder, because a look at each picture takes long. Without
that file, or with a damaged one, they are counted anew.
"""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import NamedTuple

import orjson

from bundle.leftovers import is_leftover
from bundle.params import MODEL_NAME

# The places of a model's pictures and rows, below the model's folder.
IMAGES = "images"
ROWS = "rows.csv"

_FILE = ".counts.json"
_CHUNK = 1 << 20


class Count(NamedTuple):
    """The numbers of one model.

    Attributes:
        items: its pictures and rows.
        bytes: the bytes of their files.
    """

    items: int = 0
    bytes: int = 0


class Counts:
    """Reads, writes and makes the counts; only for a process that holds the lock.

    Args:
        root: the folder of the feedback.
    """

    def __init__(self, root: Path) -> None:
        self._root = root
        self._path = root / _FILE

    def read(self) -> dict[str, Count]:
        """Return the counts of each model; count anew if nobody has written them."""
        try:
            content = orjson.loads(self._path.read_bytes())
            return {model: Count(*map(int, count)) for model, count in content.items()}
        except (FileNotFoundError, ValueError, TypeError, AttributeError):
            return self.of_folder()

    def write(self, counts: dict[str, Count]) -> None:
        """Write the counts; without them, on a full disk, they are counted anew."""
        with contextlib.suppress(OSError):
            content = {model: [*count] for model, count in counts.items()}
            self._path.write_bytes(orjson.dumps(content))

    def forget(self) -> None:
        """Take the counts away before the folder changes."""
        self._path.unlink(missing_ok=True)

    def of_folder(self) -> dict[str, Count]:
        """Count what the folder holds."""
        return {
            folder.name: _count_of(folder)
            for folder in self._root.iterdir()
            if MODEL_NAME.fullmatch(folder.name) and folder.is_dir()
        }


def _count_of(folder: Path) -> Count:
    items = size = 0
    for picture in folder.glob(f"{IMAGES}/*/*"):
        # The owner may take one away meanwhile.
        with contextlib.suppress(FileNotFoundError):
            if not is_leftover(picture.name):
                size += picture.stat().st_size
                items += 1
    with (
        contextlib.suppress(FileNotFoundError),
        (folder / ROWS).open("rb") as stream,
    ):
        lines = 0
        while chunk := stream.read(_CHUNK):
            size += len(chunk)
            lines += chunk.count(b"\n")
        items += max(0, lines - 1)  # the first line is the header
    return Count(items, size)
