"""A bundle's files as one tar, gzipped or not, piece by piece."""

from __future__ import annotations

import os
import tarfile
import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import IO

_CHUNK = 1 << 18
_END = bytes(2 * tarfile.BLOCKSIZE)

# Weights shrink by 7 % at level 1 and by 8 % at level 9, at nearly the same speed.
# Graphs and texts shrink by more than half.
_LEVEL = 6
# All members have the same time, so that the same files always make the same archive.
# The year is 1980, zip's first; tar warns that 1970 is implausible.
_TIME = 315532800


def pack(files: Mapping[str, Path], top: str, *, gzipped: bool = True) -> Packed:
    """Pack files as a tar with one top folder; the same files make the same bytes.

    Every file is opened before this returns. A file that is deleted or replaced
    afterwards is still packed whole.

    Args:
        files: each by its name inside the folder, in the order of the archive.
        top: the folder's name.
        gzipped: compress the tar; the length is then not known in advance.

    Raises:
        OSError: a file cannot be opened.
    """
    with ExitStack() as stack:
        opened = [
            (f"{top}/{name}", stack.enter_context(path.open("rb")))
            for name, path in files.items()
        ]
        return Packed(opened, stack.pop_all(), gzipped)


class Packed(Iterator[bytes]):
    """A tar, piece by piece; its files are closed at its end.

    Attributes:
        length: bytes of the whole tar; None if it is gzipped.
    """

    def __init__(
        self, opened: Sequence[tuple[str, IO[bytes]]], stack: ExitStack, gzipped: bool
    ) -> None:
        members = [(_member(name, stream), stream) for name, stream in opened]
        tar = _tar_of(members)
        self._pieces = _deflated(tar) if gzipped else tar
        self._stack = stack
        self.length = None if gzipped else _length(member for member, _ in members)

    def __next__(self) -> bytes:
        try:
            return next(self._pieces)
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Close the files; a server calls this when its client has gone."""
        self._stack.close()


def _member(name: str, stream: IO[bytes]) -> tarfile.TarInfo:
    member = tarfile.TarInfo(name)
    member.size = os.fstat(stream.fileno()).st_size
    member.mtime = _TIME
    return member


def _length(members: Iterable[tarfile.TarInfo]) -> int:
    return len(_END) + sum(
        len(_header(member)) + member.size + len(_padding(member)) for member in members
    )


def _tar_of(members: Sequence[tuple[tarfile.TarInfo, IO[bytes]]]) -> Iterator[bytes]:
    for member, stream in members:
        yield _header(member)
        left = member.size
        while left:
            chunk = stream.read(min(left, _CHUNK))
            if not chunk:
                raise EOFError(f"{member.name} was cut while it was packed")
            yield chunk
            left -= len(chunk)
        yield _padding(member)
    yield _END


def _header(member: tarfile.TarInfo) -> bytes:
    return member.tobuf(tarfile.GNU_FORMAT, "utf-8")


def _padding(member: tarfile.TarInfo) -> bytes:
    return bytes(-member.size % tarfile.BLOCKSIZE)


def _deflated(chunks: Iterator[bytes]) -> Iterator[bytes]:
    deflater = zlib.compressobj(_LEVEL, wbits=31)
    for chunk in chunks:
        if piece := deflater.compress(chunk):
            yield piece
    yield deflater.flush()
