"""Images whose pixels lie in a file on disk, because they are too many for memory.

The file has no name: the system removes it with the process, even after a kill. It is
read by position and not mapped, so that its pixels do not count as the process's own
memory.
"""

from __future__ import annotations

import math
import os
import tempfile
import weakref
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bundle.disk import refusal
from runtime.process.memory import usable_memory
from trainer.errors import WriteFailed
from trainer.images import Images, numbers_of

# /tmp often lies in memory, which would then hold the pixels after all.
_PLACE = Path("/var/tmp")

# A split copies images, and TensorFlow needs memory, too.
_SHARE = 4


def memory_for_images() -> int:
    """Return the bytes of images that are held in memory, if nobody says otherwise."""
    return usable_memory() // _SHARE


def scratch_place() -> Path:
    """Return the folder of the file: the variable TMPDIR, or else ``/var/tmp``."""
    if not os.environ.get("TMPDIR") and os.access(_PLACE, os.W_OK):
        return _PLACE
    return Path(tempfile.gettempdir())


class _File:
    """A new file without a name, which is closed with its last user."""

    def __init__(self) -> None:
        with tempfile.TemporaryFile(buffering=0, dir=scratch_place()) as file:
            self.descriptor = os.dup(file.fileno())
        weakref.finalize(self, os.close, self.descriptor)


class StoredImages:
    """Images in a file of raw numbers; see ``trainer.images.Images``.

    Several threads may read them at once.

    Args:
        file: the file, from whose beginning the images lie one after the other.
        shape: ``(N, …)``.
        dtype: the dtype of a number.
    """

    def __init__(
        self, file: _File, shape: tuple[int, ...], dtype: np.dtype[Any]
    ) -> None:
        self.shape, self.dtype = shape, dtype
        self._file = file
        self._each = dtype.itemsize * math.prod(shape[1:])

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, which: Any, /) -> NDArray[Any]:
        """Read one image, or several; see ``trainer.images.Images``."""
        if isinstance(which, int | np.integer):
            one: NDArray[Any] = self[np.array([which])][0]
            return one
        numbers = numbers_of(which, len(self))
        found = np.empty((len(numbers), *self.shape[1:]), self.dtype)
        if not found.size:
            return found
        content = found.view(np.uint8).reshape(-1).data
        # Images that lie one after the other are read at once.
        starts = np.flatnonzero(np.diff(numbers, prepend=numbers[0] - 2) != 1)
        for start, end in zip(starts, [*starts[1:], len(numbers)], strict=True):
            self._read(
                content[start * self._each : end * self._each],
                int(numbers[start]) * self._each,
            )
        return found

    def reshaped(self, shape: tuple[int, ...]) -> StoredImages:
        """Return the same numbers in another shape of as many images.

        Args:
            shape: ``(N, …)``.
        """
        return StoredImages(self._file, shape, self.dtype)

    def _read(self, content: memoryview, position: int) -> None:
        while content:
            count = os.preadv(self._file.descriptor, [content], position)
            if not count:
                raise EOFError("the file of the pixels was cut by somebody")
            content, position = content[count:], position + count


class ImageWriter:
    """Collects images, in memory or on disk.

    Args:
        most: no more images than this come.
        shape: the shape of one image.
        dtype: the dtype of a number.
        on_disk: whether they are kept on disk.

    Raises:
        WriteFailed: the disk refuses a file.
    """

    def __init__(
        self, most: int, shape: tuple[int, ...], dtype: np.dtype[Any], *, on_disk: bool
    ) -> None:
        self._shape, self._dtype, self._count = shape, dtype, 0
        self._place: NDArray[Any] | _File
        self._place = _new_file() if on_disk else np.empty((most, *shape), dtype)

    def add(self, images: NDArray[Any]) -> None:
        """Add images, ``(M, …)``.

        Raises:
            WriteFailed: the disk is full, or refuses them for another reason.
        """
        count = self._count + len(images)
        if isinstance(self._place, _File):
            _write(self._place, np.ascontiguousarray(images, self._dtype))
        else:
            self._place[self._count : count] = images
        self._count = count

    def finish(self) -> Images:
        """Return all that came, ``(N, …)``: a numpy array, or images on disk."""
        if isinstance(self._place, _File):
            return StoredImages(self._place, (self._count, *self._shape), self._dtype)
        return self._place[: self._count]


def write_all(
    all_pieces: Iterable[NDArray[Any]],
    most: int,
    shape: tuple[int, ...],
    dtype: np.dtype[Any],
    *,
    on_disk: bool,
) -> Images:
    """Collect pieces of images, ``(M, …)`` each; see ``ImageWriter``."""
    writer = ImageWriter(most, shape, dtype, on_disk=on_disk)
    for piece in all_pieces:
        writer.add(piece)
    return writer.finish()


def _new_file() -> _File:
    try:
        return _File()
    except OSError as ex:
        raise _failed(ex) from ex


def _write(file: _File, images: NDArray[Any]) -> None:
    if not images.size:
        return
    content = images.view(np.uint8).reshape(-1).data
    try:
        while content:
            content = content[os.write(file.descriptor, content) :]
    except OSError as ex:
        raise _failed(ex) from ex


def _failed(ex: OSError) -> WriteFailed:
    why = refusal(ex, "name another folder by the variable TMPDIR")
    return WriteFailed(
        f"{scratch_place()}: the file for the pixels cannot be written: {why}"
    )
