"""The bytes of an upload, without one layer of gzip, and no more than its limits."""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

from bundle.errors import ArchiveError, TooLarge
from bundle.foreign import GZIP

_CHUNK = 1 << 18


class Readable(Protocol):
    """The source of an archive's bytes, such as a request's body."""

    def read(self, size: int = ..., /) -> bytes:
        """Return at most ``size`` bytes, and no bytes at the end."""


@dataclass(frozen=True)
class Limits:
    """The limits on an archive's content.

    Attributes:
        total_bytes: most bytes of the unpacked archive; a tar's headers count.
        members: most files and folders; those that are passed over count.
        depth: most folders inside one another; the top folder counts.
        ratio: most unpacked bytes for each received byte, beyond the first
            ``ratio_from`` bytes; the weights of a model hardly shrink.
        ratio_from: unpacked bytes from which ``ratio`` holds.
    """

    # A gigabyte is more than any Keras application's SavedModel (VGG16 has 0.55 GB).
    total_bytes: int = 1 << 30
    members: int = 1000
    depth: int = 8
    ratio: int = 200
    ratio_from: int = 1 << 24


DEFAULT_LIMITS = Limits()


class Upload:
    """The bytes of an archive as they come.

    Each read may raise ``ArchiveError``, if the gzip is damaged, and ``TooLarge``.

    Args:
        stream: the bytes, gzipped or not.
        gzipped: the sender said that they are; if they are not, that is an error.
        limits: the limits on the archive's content.
    """

    def __init__(self, stream: Readable, gzipped: bool, limits: Limits) -> None:
        self._packed = _Packed(stream, limits.total_bytes)
        self._chunks = _inflate(self._packed, gzipped)
        self._ready = b""
        self._left = limits.total_bytes
        self._limit = limits.total_bytes
        self._limits = limits

    @property
    def came_bytes(self) -> int:
        """The number of bytes received so far, still gzipped."""
        return self._packed.size

    def peek(self, size: int) -> bytes:
        """Return the next bytes, and let ``read`` return them again."""
        head = self.read(size)
        self._ready = head + self._ready
        return head

    def read(self, size: int, /) -> bytes:
        """Return ``size`` bytes; fewer only at the end."""
        parts: list[bytes] = []
        while size > 0:
            if not self._ready:
                self._ready = next(self._chunks, b"")
                if not self._ready:
                    break
                self._left -= len(self._ready)
                if self._left < 0:
                    raise TooLarge(
                        f"the archive unpacks to more than {self._limit} bytes"
                    )
                self._check_ratio()
            part, self._ready = self._ready[:size], self._ready[size:]
            parts.append(part)
            size -= len(part)
        return b"".join(parts)

    def _check_ratio(self) -> None:
        unpacked = self._limit - self._left
        limits = self._limits
        if unpacked > limits.ratio_from + limits.ratio * self._packed.size:
            raise TooLarge(
                f"the archive unpacks to more than {limits.ratio} times its size"
            )

    def pieces(self) -> Iterator[bytes]:
        """Return the rest, piece by piece."""
        while chunk := self.read(_CHUNK):
            yield chunk


class _Packed:
    """An upload's bytes as they come, up to the limit for the unpacked archive.

    The limit is needed here too, because a gzip can go on for ever and hold nothing.

    Attributes:
        size: bytes read so far.
    """

    def __init__(self, stream: Readable, max_bytes: int) -> None:
        self._stream = stream
        self._max_bytes = max_bytes
        self.size = 0

    def read(self, size: int = -1) -> bytes:
        chunk = self._stream.read(size)
        self.size += len(chunk)
        if self.size > self._max_bytes:
            raise TooLarge(f"the upload is larger than {self._max_bytes} bytes")
        return chunk


def _inflate(stream: Readable, gzipped: bool) -> Iterator[bytes]:
    chunk = _read_some(stream)
    if len(chunk) == 1:  # a gzip is told by two bytes
        chunk += _read_some(stream)
    if not chunk:
        return
    if not chunk.startswith(GZIP):
        if gzipped:
            raise ArchiveError(
                "the upload is not gzipped, and its Content-Encoding says gzip"
            )
        while chunk:
            yield chunk
            chunk = _read_some(stream)
        return
    inflater = zlib.decompressobj(wbits=31)
    try:
        while chunk:
            yield from _pieces(inflater, chunk)
            if inflater.eof:
                break
            chunk = _read_some(stream)
    except zlib.error as ex:
        raise ArchiveError(
            "the upload is not whole gzip data: it is damaged, or was sent as text;"
            " send it with: curl --data-binary @NAME.tar.gz"
        ) from ex
    if not inflater.eof:
        raise ArchiveError("the upload is cut short: its gzip data does not end")
    if inflater.unused_data or _read_some(stream):
        raise ArchiveError("the upload goes on after its gzip data ends")


def _pieces(inflater: zlib._Decompress, chunk: bytes) -> Iterator[bytes]:
    # The second argument bounds a piece: a few bytes can inflate to a gigabyte, which
    # must never be in memory at once.
    while piece := inflater.decompress(chunk, _CHUNK):
        yield piece
        chunk = inflater.unconsumed_tail


def _read_some(stream: Readable) -> bytes:
    return stream.read(_CHUNK)
