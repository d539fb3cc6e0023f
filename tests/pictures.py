"""Picture files are made by hand here, because no program writes such files."""

from __future__ import annotations

import io
import struct
import zlib
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

GRAY, COLOUR, PALETTE, GRAY_ALPHA, COLOUR_ALPHA = 0, 2, 3, 4, 6


def saved(image: Image.Image, form: str = "PNG", **options: Any) -> bytes:
    written = io.BytesIO()
    image.save(written, form, **options)
    return written.getvalue()


def chunk(kind: bytes, data: bytes) -> bytes:
    crc = zlib.crc32(kind + data)
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", crc)


def png(
    width: int, height: int, bits: int, colour: int, rows: bytes, *more: bytes
) -> bytes:
    """Make a PNG by hand (RFC 2083): each of ``rows`` begins with its filter's 0."""
    header = struct.pack(">IIBBBBB", width, height, bits, colour, 0, 0, 0)
    return b"".join(
        (
            b"\x89PNG\r\n\x1a\n",
            chunk(b"IHDR", header),
            *more,
            chunk(b"IDAT", zlib.compress(rows)),
            chunk(b"IEND", b""),
        )
    )


# Adam7 has these passes: where their pixels begin, and how far apart they are.
_PASSES = (
    *((0, 0, 8, 8), (0, 4, 8, 8), (4, 0, 8, 4), (0, 2, 4, 4)),
    *((2, 0, 4, 2), (0, 1, 2, 2), (1, 0, 2, 1)),
)


def png_of(
    samples: NDArray[Any],
    bits: int,
    colour: int,
    *more: bytes,
    interlaced: bool = False,
) -> bytes:
    """Make a PNG of ``(H, W)`` or ``(H, W, C)`` numbers, 0 to ``2 ** bits - 1``."""
    samples = samples.reshape(*samples.shape[:2], -1)
    height, width, _ = samples.shape
    parts = (
        [samples[top::down, left::right] for top, left, down, right in _PASSES]
        if interlaced
        else [samples]
    )
    rows = b"".join(
        b"\0" + _packed(row, bits) for part in parts if part.size for row in part
    )
    data = png(width, height, bits, colour, rows, *more)
    if not interlaced:
        return data
    header = data[16:28] + b"\1"
    return data[:8] + chunk(b"IHDR", header) + data[33:]


def _packed(row: NDArray[Any], bits: int) -> bytes:
    if bits == 16:
        return row.astype(">u2").tobytes()
    each = np.unpackbits(row.astype(np.uint8).reshape(-1, 1), axis=1)[:, 8 - bits :]
    return np.packbits(each).tobytes()


def segment(marker: int, content: bytes) -> bytes:
    """Make one segment of a JPEG."""
    return struct.pack(">BBH", 0xFF, marker, len(content) + 2) + content


def with_segments(jpeg: bytes, *segments: bytes) -> bytes:
    """Put more segments into a JPEG, before all others."""
    return jpeg[:2] + b"".join(segments) + jpeg[2:]


def progressive(side: int, scans: int) -> bytes:
    """Make a scan of mean values, then ``scans`` of 43 bytes that refine nothing."""
    ends = b"\xff\x00"  # ends all blocks of a band, 32,767 at a time
    bits = ("0" + "1" * 14) * 12
    coded = int(bits + "0" * (-len(bits) % 8), 2).to_bytes(23, "big")
    frame = struct.pack(">BHHB", 8, side, side, 1) + bytes([1, 0x11, 0])
    huffman = bytes([1, 1, *[0] * 14])
    parts = [
        b"\xff\xd8",
        segment(0xDB, b"\0" + b"\1" * 64),
        segment(0xC2, frame),
        segment(0xC4, b"\0" + huffman + b"\0\1"),
        segment(0xC4, b"\x10" + huffman + b"\xe0\0"),
        segment(0xDA, bytes([1, 1, 0, 0, 0, 1])),
    ]
    refining = segment(0xDA, bytes([1, 1, 0, 1, 63, 0x10]))
    return b"".join(
        (*parts, (refining + coded.replace(b"\xff", ends)) * scans, b"\xff\xd9")
    )


# An entry of a TIFF directory has a tag, a type, a count, and its value's bytes.
Entry = tuple[int, int, int, bytes]


def tiff(*entries: Entry, order: str = "<", start: int = 8) -> bytes:
    """Make a TIFF file of one directory, such as a block of EXIF."""
    data = bytearray()
    after = start + 2 + 12 * len(entries) + 4
    rows = b""
    for tag, kind, count, value in entries:
        if len(value) > 4:
            place = struct.pack(f"{order}I", after + len(data))
            data += value
        else:
            place = value.ljust(4, b"\0")
        rows += struct.pack(f"{order}HHI", tag, kind, count) + place
    head = (b"II" if order == "<" else b"MM") + struct.pack(f"{order}HI", 42, start)
    directory = struct.pack(f"{order}H", len(entries)) + rows + bytes(4)
    return head.ljust(start, b"\0") + directory + bytes(data)


def orientation(value: int, order: str = "<") -> Entry:
    """Make the entry of tag 274, of type SHORT."""
    return 0x0112, 3, 1, struct.pack(f"{order}H", value)


def exif(*entries: Entry) -> bytes:
    """Make a JPEG's segment of EXIF."""
    return segment(0xE1, b"Exif\0\0" + tiff(*entries))


def riff(*chunks: tuple[bytes, bytes]) -> bytes:
    """Make a WEBP file of these chunks."""
    body = b"".join(
        struct.pack("<4sI", name, len(data)) + data + bytes(len(data) & 1)
        for name, data in chunks
    )
    return struct.pack("<4sI4s", b"RIFF", 4 + len(body), b"WEBP") + body
