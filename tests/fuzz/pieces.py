"""Whole inputs are cut where their format joins them, so that a piece can be repeated.

The pieces of an input, joined again, are the input.
"""

from __future__ import annotations

import gzip
import re
import struct
import zlib
from collections.abc import Iterator
from typing import NamedTuple

from tests.pictures import chunk

_MARKER = re.compile(rb"\xff[\x01-\xcf\xd8-\xfe]")
_PRESENT = 16  # so many pieces, if the format shows none


class Input(NamedTuple):
    """A whole input.

    Attributes:
        head: the bytes at the start, which stand there once.
        pieces: the parts that may be repeated.
        tail: the bytes at the end, which stand there once.
        more: other pieces, which could stand before or behind its own.
        is_packed: whether the pieces stand in one stream of gzip.
    """

    head: bytes
    pieces: list[bytes]
    tail: bytes = b""
    more: tuple[bytes, ...] = ()
    is_packed: bool = False

    def joined(self, pieces: list[bytes]) -> bytes:
        """Return the bytes of the input with other pieces."""
        data = self.head + b"".join(pieces) + self.tail
        return gzip.compress(data, 1, mtime=0) if self.is_packed else data

    @property
    def places(self) -> list[Place]:
        """Return each repeatable piece, with those before and behind it."""
        own = self.pieces
        return [
            *(Place(own[:n], own[n], own[n + 1 :]) for n in range(len(own))),
            *(Place([], piece, own) for piece in self.more),
            *(Place(own, piece, []) for piece in self.more),
        ]


class Place(NamedTuple):
    """A piece of an input, and its neighbours."""

    before: list[bytes]
    piece: bytes
    behind: list[bytes]


def png(data: bytes) -> Input:
    """Cut a PNG into chunks; add some that this PNG does not have."""
    large = zlib.compress(bytes(200_000))
    more = (
        *(chunk(b"iCCP", b"k\0\0" + large), chunk(b"zTXt", b"k\0\0" + large)),
        *(chunk(b"tEXt", b"k\0v"), chunk(b"IDAT", b""), chunk(b"eXIf", b"II*\0")),
    )
    place, pieces = 33, []
    while place < len(data):
        (size,) = struct.unpack_from(">I", data, place)
        pieces.append(data[place : place + size + 12])
        place += size + 12
    return Input(data[:33], pieces[:-1], pieces[-1], more)


def jpeg(data: bytes) -> Input:
    """Cut a JPEG into segments; a scan's coded bytes belong to its segment."""
    more = (b"\xff\xe1\0\x0aExif\0\0II", b"\xff\xfe\0\x02", b"\xff\xd0", b"\xff")
    place, pieces = 2, []
    while place < len(data) - 2:
        (size,) = struct.unpack_from(">H", data, place + 2)
        end = place + 2 + size
        if data[place + 1] == 0xDA:
            found = _MARKER.search(data, end)
            end = found.start() if found else len(data)
        pieces.append(data[place:end])
        place = end
    return Input(data[:2], pieces, b"\xff\xd9", more)


def gif(data: bytes) -> Input:
    """Cut a GIF into blocks and sub-blocks, and a small GIF into bytes."""
    start = 13 + (3 << (data[10] & 7) + 1 if data[10] & 128 else 0)
    more = (b"!\xfe\1a\0", b"!\xf9\4\1\0\0\0\0", b"\0", b"!\xff\0", b"\1a")
    return Input(data[:start], list(_evenly(data[start:])), more=more)


def webp(data: bytes) -> Input:
    """Cut a WEBP into chunks; RIFF's own length stays as it was."""
    place, pieces = 12, []
    while place < len(data):
        (size,) = struct.unpack_from("<I", data, place + 4)
        pieces.append(data[place : place + 8 + size + size % 2])
        place += 8 + size + size % 2
    more = (b"EXIF\0\0\0\0", b"ANMF\0\0\0\0", b"abcd\0\0\0\0")
    return Input(data[:12], pieces, more=more)


def bmp(data: bytes) -> Input:
    """Cut a BMP into its rows, or runs, after the header."""
    (start,) = struct.unpack_from("<I", data, 10)
    more = (b"\0\0", b"\1\1", b"\0\2\0\0")
    return Input(data[:start], list(_evenly(data[start:])), more=more)


def tar(data: bytes, *, is_packed: bool = False) -> Input:
    """Cut a tar into members, each a header and its blocks."""
    place, pieces = 0, []
    while data[place : place + 1] not in (b"", b"\0"):
        size = int(data[place + 124 : place + 135].strip(b"\0 ") or b"0", 8)
        end = place + 512 + -(-size // 512) * 512
        pieces.append(data[place:end])
        place = end
    return Input(b"", pieces, data[place:], is_packed=is_packed)


def form(data: bytes) -> Input:
    """Cut a form into lines, of headers and contents; add a whole part."""
    boundary = data[: data.index(b"\r\n") + 2]
    part = boundary + data.split(boundary)[1]
    lines = re.findall(rb".*?\r\n|.+$", data, re.DOTALL)
    return Input(b"", lines, more=(part, b"X-A: b\r\n", b"\r\n"))


def text(data: bytes) -> Input:
    """Cut a text such as JSON into its signs and the texts between them."""
    pieces = [piece for piece in re.split(rb"([\[\]{},:])", data) if piece]
    more = (b"[", b"[1],", b"1e9,", b'"\\u0061",', b'"a":1,', b"[[]],", b" ")
    return Input(b"", pieces, more=more)


def message(data: bytes) -> Input:
    """Cut a protobuf message into fields, whose names are shorter than 128 bytes."""
    place, pieces = 0, []
    while place < len(data):
        wire = data[place] & 7
        size = {0: 2, 1: 9, 2: 2 + data[place + 1], 5: 5}[wire]
        pieces.append(data[place : place + size])
        place += size
    more = (b"\x0a\0", b"\x15\0\0\0\0", b"\x1a\1a", b"\x7b", b"\x80\x80\1\0")
    return Input(b"", pieces, more=more)


def stream(data: bytes) -> Input:
    """Take the data as one member of a gzip file, which may have several."""
    return Input(b"", [data, gzip.compress(b"", mtime=0), gzip.compress(bytes(10**6))])


def _evenly(data: bytes) -> Iterator[bytes]:
    step = max(1, len(data) // _PRESENT)
    for place in range(0, len(data), step):
        yield data[place : place + step]
