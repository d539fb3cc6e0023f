"""The source of arrays: a .npz, whose array is read in pieces and never unpickled."""

from __future__ import annotations

import math
import tokenize
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.lib import format as npy

from bundle.errors import ShapeError
from runtime.admin.errors import AdminError
from runtime.scoring.chunks import MOST_BYTES, Chunk, Kept, Numbers, Pixels
from runtime.scoring.facts import Facts
from runtime.scoring.files import identity_of, text_of
from runtime.scoring.naming import item_shape

# Packed arrays cannot be skipped but by unpacking them.
_SKIP = 1 << 20
# All errors of zipfile, zlib and numpy for a damaged file.
_DAMAGES = (
    zipfile.BadZipFile,
    zlib.error,
    ValueError,
    EOFError,
    MemoryError,
    NotImplementedError,
    tokenize.TokenError,  # a header that is no Python
    RuntimeError,  # it needs a password
)


@dataclass(frozen=True)
class _Member:
    """One array of the file.

    Attributes:
        key: its name.
        shape: its axes.
        dtype: its dtype.
        by_columns: whether it is stored in Fortran's order.
    """

    key: str
    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    by_columns: bool


class ArrayFile:
    """One array of a .npz: ``(N, H, W)``, ``(N, H, W, C)`` or ``(N, F)``.

    Args:
        path: the file.
        key: the array's name; empty takes the only one that can be meant.
        facts: the model. Pixels of uint8 are pictures for a model that takes pictures;
            all else is given to the model as it is.

    Raises:
        AdminError: the file is no .npz, has no such array, or holds objects.
    """

    kept: tuple[Kept, ...] = ()

    def __init__(self, path: Path, key: str, facts: Facts) -> None:
        self._path = path
        self._member = _chosen(path, key)
        self._are_pictures = bool(
            facts.img_channels
            and self._member.dtype == np.uint8
            and len(self._member.shape) > 2
        )
        _check_shape(path, self._member, facts, are_pictures=self._are_pictures)
        self.total = self._member.shape[0]

    @property
    def identity(self) -> str:
        """See ``Source``."""
        return identity_of([self._path])

    def chunks(self, size: int, done: int) -> Iterator[Chunk]:
        """See ``Source``."""
        member = self._member
        item = member.shape[1:]
        each = math.prod(item) * member.dtype.itemsize
        size = min(size, max(1, MOST_BYTES // max(1, each)))
        with (
            _refusing(self._path),
            zipfile.ZipFile(self._path) as archive,
            archive.open(f"{member.key}.npy") as stream,
        ):
            _read_header(stream)
            _skip(stream, done * each)
            for first in range(done, self.total, size):
                count = min(size, self.total - first)
                data = _exactly(stream, count * each)
                array = np.frombuffer(data, member.dtype).reshape(count, *item)
                items = [str(n) for n in range(first, first + count)]
                yield Chunk(items, self._content(array))

    def _content(self, array: np.ndarray[Any, Any]) -> Numbers | Pixels:
        if not self._are_pictures:
            return Numbers(array)
        return Pixels(array if array.ndim == 4 else array[..., np.newaxis])


def _chosen(path: Path, key: str) -> _Member:
    with _refusing(path), zipfile.ZipFile(path) as archive:
        names = [
            name.removesuffix(".npy")
            for name in archive.namelist()
            if name.endswith(".npy")
        ]
        members = []
        for name in names:
            with archive.open(f"{name}.npy") as stream:
                members.append(_Member(name, *_read_header(stream)))
    if key:
        found = [member for member in members if member.key == key]
        if not found:
            raise AdminError(
                f"{text_of(path)} has no array {key!r}; it has {', '.join(names)}"
            )
    else:
        found = (
            members
            if len(members) == 1
            else [
                member
                for member in members
                if 2 <= len(member.shape) <= 4 and member.dtype.kind in "fiub"
            ]
        )
    if not members:
        raise AdminError(f"{text_of(path)} has no arrays")
    if len(found) != 1:
        shown = ", ".join(f"{m.key} {m.shape}" for m in members)
        raise AdminError(
            f"{text_of(path)} does not tell which array has the items: it has {shown};"
            " name it with --key NAME"
        )
    (member,) = found
    where = f"{text_of(path)}: {member.key}"
    if member.dtype.kind not in "fiub":
        kind = "objects" if member.dtype.hasobject else str(member.dtype)
        raise AdminError(f"{where} holds {kind}; give an array of numbers")
    if len(member.shape) < 2 or min(member.shape) < 1:
        raise AdminError(
            f"{where} has the shape {member.shape}; give (N, H, W), (N, H, W, C) or"
            " (N, F) with items"
        )
    if member.by_columns:
        raise AdminError(
            f"{where} is stored column by column, and cannot be read in pieces; save it"
            " again with numpy.ascontiguousarray"
        )
    return member


def _read_header(stream: IO[bytes]) -> tuple[tuple[int, ...], np.dtype[Any], bool]:
    version = npy.read_magic(stream)
    if version == (1, 0):
        shape, by_columns, dtype = npy.read_array_header_1_0(stream)
    else:
        shape, by_columns, dtype = npy.read_array_header_2_0(stream)
    return shape, dtype, by_columns


def _check_shape(
    path: Path, member: _Member, facts: Facts, *, are_pictures: bool
) -> None:
    where = f"{text_of(path)}: {member.key}"
    if not are_pictures:
        try:
            item_shape(facts, member.shape[1:])
        except ShapeError as ex:
            raise AdminError(f"{where}: {ex}") from ex
    elif len(member.shape) == 4 and member.shape[3] not in (1, 3):
        raise AdminError(
            f"{where} has the shape {member.shape}; pictures are (N, H, W),"
            " (N, H, W, 1) or (N, H, W, 3)"
        )


def _exactly(stream: IO[bytes], count: int) -> bytes:
    data = stream.read(count)
    if len(data) != count:
        raise EOFError
    return data


def _skip(stream: IO[bytes], count: int) -> None:
    while count > 0:
        count -= len(_exactly(stream, min(count, _SKIP)))


@contextmanager
def _refusing(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as ex:
        raise AdminError(
            f"{text_of(path)} cannot be read: {ex.strerror or 'it is damaged'}"
        ) from ex
    except _DAMAGES as ex:
        raise AdminError(
            f"{text_of(path)} is damaged, cut short, or no .npz of numpy"
        ) from ex
