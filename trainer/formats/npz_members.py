"""The arrays of one .npz: they are read whole, or in pieces where memory is too small.

numpy itself reads an array of an archive only whole. An array in pieces is read here,
from the header that ``numpy.lib.format`` reads, and its numbers go to disk as they are.
"""

from __future__ import annotations

import math
from collections.abc import Generator, Sequence
from contextlib import closing
from pathlib import Path
from typing import IO, Any
from zipfile import ZipFile

import numpy as np
from numpy.lib import format as npy
from numpy.lib.npyio import NpzFile
from numpy.typing import NDArray

from trainer.errors import DataError
from trainer.formats.content import MAX_BYTES
from trainer.images import Images
from trainer.stored_images import write_all

# The names in numpy's archives have this ending.
SUFFIX = ".npy"

# About so many bytes are read at a time.
_PIECE = 1 << 22

_HEADERS = {(1, 0): npy.read_array_header_1_0, (2, 0): npy.read_array_header_2_0}


class Members:
    """The arrays of an archive.

    Args:
        path: the archive's path.
        zipped: the archive.
        archive: the same, as numpy opens it.
        max_bytes: images of more bytes are unpacked to disk.
    """

    def __init__(
        self, path: Path, zipped: ZipFile, archive: NpzFile, max_bytes: int
    ) -> None:
        self._path, self._zip, self._archive = path, zipped, archive
        self._max_bytes = max_bytes
        self._on_disk = False

    def weigh(self, names: Sequence[str]) -> None:
        """Decide, by the sizes of these arrays, whether images go to disk."""
        self._on_disk = sum(map(self._size, names)) > self._max_bytes

    def images(self, names: Sequence[str]) -> Images:
        """Read one or two arrays as one, ``(N, …)`` in the dtype of the file.

        Raises:
            DataError: two arrays do not fit together.
            WriteFailed: the disk refuses them.
        """
        if not self._on_disk:
            return self._joined(names)
        headers = [self._header(name) for name in names]
        self._check_alike(names, headers)
        shape, dtype = headers[0]
        count = sum(header[0][0] for header in headers)
        # The archive is closed at once, even if the disk refuses a piece.
        with closing(self._pieces(names)) as came:
            return write_all(came, count, shape[1:], dtype, on_disk=True)

    def labels(self, names: Sequence[str]) -> NDArray[Any]:
        """Read one or two arrays as one, which memory holds.

        Raises:
            DataError: they are too large for labels, or do not fit together.
        """
        for name in names:
            if self._size(name) > MAX_BYTES:
                raise DataError(
                    f"{self._path}: the labels {name} unpack to more than {MAX_BYTES}"
                    " bytes; give a class number for each image"
                )
        return self._joined(names)

    def _joined(self, names: Sequence[str]) -> NDArray[Any]:
        arrays = [self._archive[name] for name in names]
        # numpy gives a member that is no array as bytes.
        if not all(isinstance(array, np.ndarray) for array in arrays):
            raise ValueError("no array")
        if len(arrays) == 1:
            return arrays[0]
        self._check_alike(names, [(array.shape, array.dtype) for array in arrays])
        return np.concatenate(arrays)

    def _check_alike(
        self, names: Sequence[str], headers: list[tuple[tuple[int, ...], Any]]
    ) -> None:
        (shape, dtype), *others = headers
        for other_shape, other in others:
            if shape[1:] != other_shape[1:] or dtype.kind != other.kind:
                raise DataError(
                    f"{self._path}: {names[0]} is {dtype} of the shape {shape} and"
                    f" {names[1]} {other} of {other_shape}; they are trained on"
                    " together, so all but the number of rows must be equal"
                )
            if self._on_disk and dtype != other:
                raise DataError(
                    f"{self._path}: {names[0]} is {dtype} and {names[1]} {other};"
                    " they are trained on together, so give both one dtype"
                )

    def _size(self, name: str) -> int:
        return self._zip.getinfo(self._member(name)).file_size

    def _member(self, name: str) -> str:
        """Return the name in the zip of an array, whose own name lacks the ending."""
        spelt = name + SUFFIX
        return spelt if spelt in self._zip.namelist() else name

    def _header(self, name: str) -> tuple[tuple[int, ...], np.dtype[Any]]:
        with self._zip.open(self._member(name)) as stream:
            return self._read_header(name, stream)

    def _read_header(
        self, name: str, stream: IO[bytes]
    ) -> tuple[tuple[int, ...], np.dtype[Any]]:
        read = _HEADERS.get(npy.read_magic(stream))
        if read is None:
            raise ValueError("no version of numpy's that numbers need")
        shape, is_by_column, dtype = read(stream)
        if dtype.hasobject or not shape:
            raise ValueError("no array of numbers")
        if is_by_column and len(shape) > 1:
            raise DataError(
                f"{self._path}: {name} is stored column by column and is too large for"
                " memory; save numpy.ascontiguousarray of it"
            )
        return shape, dtype

    def _pieces(self, names: Sequence[str]) -> Generator[NDArray[Any], None, None]:
        for name in names:
            yield from self._pieces_of(name)

    def _pieces_of(self, name: str) -> Generator[NDArray[Any], None, None]:
        with self._zip.open(self._member(name)) as stream:
            shape, dtype = self._read_header(name, stream)
            each = dtype.itemsize * math.prod(shape[1:])
            if each > MAX_BYTES:
                raise ValueError("no image is that large")
            step = max(1, _PIECE // max(1, each))
            for start in range(0, shape[0], step):
                count = min(step, shape[0] - start)
                content = stream.read(count * each)
                if len(content) < count * each:
                    raise EOFError("the array is cut short")
                yield np.frombuffer(content, dtype).reshape(count, *shape[1:])
            # The zip's checksum is compared at the end of the member.
            stream.read(1)
