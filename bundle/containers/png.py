"""A look at PNG: a signature, and chunks of a length, a name, data and a checksum.

Source: the PNG specification, third edition (W3C, 2025).
"""

from __future__ import annotations

import struct
import zlib

from bundle.containers.look import (
    MAX_PIECES,
    MAX_PIXELS,
    Look,
    check_pixels,
    too_many,
)
from bundle.containers.orientation import UPRIGHT, orientation_of

_HEADER = b"\0\0\0\rIHDR"
_HEADER_END = 33
# IHDR's length and name, the width and the height.
_START = struct.Struct(">8sII")
_END = b"\0\0\0\0IEND\xaeB`\x82"

GRAY, COLOUR, PALETTE = 0, 2, 3
_SAMPLES = {GRAY: 1, COLOUR: 3, PALETTE: 1, 4: 2, 6: 4}
# Bits, colour, compression, filters and interlace of plain files.
_PLAIN = {bytes((8, GRAY, 0, 0, 0)): 1, bytes((8, COLOUR, 0, 0, 0)): 3}

# Deflate's densest code puts 258 bytes into 2 bits. A file with less data than that was
# cut short, and its pixels are not worth their memory.
_MAX_RATIO = 1032
_SLACK = 64


def look(data: bytes) -> Look:
    """Look through a PNG; see ``bundle.containers.look``."""
    header, width, height = _START.unpack_from(data, 8)
    if width * height > MAX_PIXELS:
        check_pixels(width, height)
    if header != _HEADER:
        raise ValueError("no IHDR")
    # Most files have a header, one IDAT and the end, and nothing to leave out.
    if (
        data[37:41] == b"IDAT"
        and data.endswith(_END)
        and len(data) == 57 + int.from_bytes(data[33:37], "big")
    ):
        channels = _plain_channels(data)
        # The pixels of a plain file have one byte for each channel.
        if not channels or height * width * channels > len(data) * _MAX_RATIO:
            _check_size(data, width, height, len(data))
        return Look("PNG", width, height, data, UPRIGHT, None, channels)
    return _without_metadata(data, width, height)


def _plain_channels(data: bytes) -> int:
    """Return 1 or 3 for gray or RGB of 8 bits in whole rows; 0 for all else."""
    channels = _PLAIN.get(data[24:29], 0)
    # Decoders refuse a damaged header, and a quick one does not look.
    if channels and zlib.crc32(data[12:29]) != int.from_bytes(data[29:33], "big"):
        return 0
    return channels


def _without_metadata(data: bytes, width: int, height: int) -> Look:
    """Keep the header, the palette, the transparency and one IDAT alone."""
    bits, colour = data[24], data[25]
    palette = transparency = None
    pixels: list[bytes] = []
    orientation = 0
    ended = False
    place = _HEADER_END
    for _ in range(MAX_PIECES):
        if place + 8 > len(data):
            break
        length = int.from_bytes(data[place : place + 4], "big")
        kind = data[place + 4 : place + 8]
        place += 8
        if kind == b"IDAT":
            # Decoders stop at the first chunk of another kind.
            if not ended:
                pixels.append(data[place : place + length])
        elif kind == b"IEND":
            break
        else:
            ended = bool(pixels)
            if kind == b"PLTE" and palette is None and not ended:
                palette = _whole(data, place, length)
            elif kind == b"tRNS" and transparency is None and not ended:
                transparency = _whole(data, place, length)
            elif kind == b"eXIf" and not orientation:
                orientation = orientation_of(data[place : place + length])
        place += length + 4
    else:
        raise too_many("chunks", MAX_PIECES)
    packed = b"".join(pixels)
    _check_size(data, width, height, len(packed))
    parts = [data[:_HEADER_END]]
    if palette is not None:
        parts.append(_chunk(b"PLTE", palette[:768]))
    transparent = None
    if transparency is not None:
        if (bits, colour) == (16, COLOUR):
            transparent = struct.unpack_from(">HHH", transparency)
        elif chosen := _transparency(transparency, bits, colour):
            parts.append(_chunk(b"tRNS", chosen))
    is_plain = transparency is None and palette is None
    parts += [_chunk(b"IDAT", packed), _END]
    return Look(
        "PNG",
        width,
        height,
        b"".join(parts),
        orientation or UPRIGHT,
        transparent,
        _plain_channels(data) if is_plain else 0,
    )


def _check_size(data: bytes, width: int, height: int, packed: int) -> None:
    row = width * data[24] * _SAMPLES[data[25]] // 8
    if height * row > (packed + _SLACK) * _MAX_RATIO:
        raise ValueError("too little data for so many pixels")


def _whole(data: bytes, place: int, length: int) -> bytes:
    """Return a chunk that pixels depend on: unlike metadata, it must be undamaged."""
    content = data[place : place + length]
    checksum = data[place + length : place + length + 4]
    if zlib.crc32(data[place - 4 : place + length]).to_bytes(4, "big") != checksum:
        raise ValueError("a wrong checksum")
    return content


def _transparency(content: bytes, bits: int, colour: int) -> bytes:
    """Write transparency as Pillow reads it, for samples converted to 8 bits."""
    if colour == PALETTE:
        return content[:256]
    if colour == GRAY:
        (value,) = struct.unpack_from(">H", content)
        if bits == 16:
            return content[:2]
        # Only the lowest ``bits`` of the 16 bits count. Pillow does not scale 1 bit.
        most = (1 << bits) - 1
        scale = 255 // most if bits > 1 else 1
        return struct.pack(">H", (value & most) * scale)
    if colour == COLOUR:
        return struct.pack(
            ">HHH", *(n & 255 for n in struct.unpack_from(">HHH", content))
        )
    # The other two have an alpha channel.
    return b""


def _chunk(kind: bytes, content: bytes) -> bytes:
    checksum = zlib.crc32(content, zlib.crc32(kind))
    return (
        struct.pack(">I4s", len(content), kind) + content + checksum.to_bytes(4, "big")
    )
