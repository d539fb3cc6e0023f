"""A look at WEBP: RIFF's chunks of a name, a length and data.

Source: RFC 9649.
"""

from __future__ import annotations

import struct

from bundle.containers.look import MAX_PIECES, Look, check_pixels, too_many
from bundle.containers.orientation import UPRIGHT, orientation_of

_ANIMATION, _EXIF, _ALPHA = 0x02, 0x08, 0x10


def look(data: bytes) -> Look:
    """Look through a WEBP; see ``bundle.containers.look``.

    An animation keeps its canvas and its first frame.
    """
    kind = data[12:16]
    if kind == b"VP8X":
        return _extended(data)
    if kind == b"VP8 ":
        if data[23:26] != b"\x9d\x01\x2a":
            raise ValueError("no key frame")
        width, height = (n & 0x3FFF for n in struct.unpack_from("<HH", data, 26))
    elif kind == b"VP8L":
        (bits,) = struct.unpack_from("<I", data, 21)
        width, height = (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
    else:
        raise ValueError("no picture in it")
    check_pixels(width, height)
    end = _end(data, 12)
    if end != len(data):
        data = _riff(data[12:end])
    return Look("WEBP", width, height, data)


def _extended(data: bytes) -> Look:
    flags = data[20]
    width = int.from_bytes(data[24:27], "little") + 1
    height = int.from_bytes(data[27:30], "little") + 1
    check_pixels(width, height)
    wanted = (b"ANIM", b"ANMF") if flags & _ANIMATION else (b"ALPH", b"VP8 ", b"VP8L")
    last = wanted[1:]
    orientation = UPRIGHT
    kept: dict[bytes, bytes] = {}
    complete = False
    place = _end(data, 12)
    for _ in range(MAX_PIECES):
        # After the pixels, EXIF is the only chunk that is used.
        if place + 8 > len(data) or (complete and not flags & _EXIF):
            break
        kind, end = data[place : place + 4], _end(data, place)
        if kind in wanted and not complete:
            kept.setdefault(kind, data[place:end])
            complete = kind in last
        elif kind == b"EXIF":
            (size,) = struct.unpack_from("<I", data, place + 4)
            orientation = orientation_of(data[place + 8 : place + 8 + size])
            flags &= ~_EXIF
        place = end
    else:
        raise too_many("chunks", MAX_PIECES)
    header = bytearray(data[12:30])
    header[8] = flags & (_ANIMATION | _ALPHA)
    data = _riff(bytes(header) + b"".join(kept.values()))
    return Look("WEBP", width, height, data, orientation)


def _end(data: bytes, place: int) -> int:
    """Return the place of the next chunk; a chunk of odd length has one more byte."""
    (size,) = struct.unpack_from("<I", data, place + 4)
    return int(place + 8 + size + (size & 1))


def _riff(chunks: bytes) -> bytes:
    return struct.pack("<4sI4s", b"RIFF", 4 + len(chunks), b"WEBP") + chunks
