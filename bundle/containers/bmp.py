"""A look at BMP: a header of one of seven lengths, a palette, and rows of pixels.

Source: Microsoft's documentation of BITMAPINFOHEADER and its relatives.
"""

from __future__ import annotations

import struct

from bundle.containers.look import Look, check_pixels
from bundle.errors import ImageError

# Pillow reads run lengths in Python, which takes 0.5 us a run and 0.1 us a pixel.
MAX_RUN_LENGTH_PIXELS = 1 << 20

_RUN_LENGTHS = (1, 2)
_HEADERS = (12, 40, 52, 56, 64, 108, 124)
# A header and a palette take at most this many bytes.
_BEFORE = 14 + 124 + 4 * 256


def look(data: bytes) -> Look:
    """Look at a BMP's header; see ``bundle.containers.look``."""
    offset, size = struct.unpack_from("<II", data, 10)
    if size not in _HEADERS:
        raise ValueError("a header of no known length")
    if size == 12:
        width, height, _, bits = struct.unpack_from("<HHHH", data, 18)
        compression = colours = 0
    else:
        width, height, _, bits, compression = struct.unpack_from("<iiHHI", data, 18)
        (colours,) = struct.unpack_from("<I", data, 46)
        height = abs(height)
    if bits <= 8 and colours > 256:
        raise ValueError("a palette of more colours than a pixel can name")
    if width <= 0 or height <= 0:
        raise ValueError("no pixels")
    check_pixels(width, height)
    if compression in _RUN_LENGTHS:
        # A run takes two bytes and has at least one pixel; a row's end takes two more.
        data = data[: offset + _BEFORE + 2 * (width + 1) * height + 2]
        if width * height > MAX_RUN_LENGTH_PIXELS:
            raise ImageError(
                f"Invalid image: {width} x {height} pixels of a run-length coded BMP"
                f" are more than {MAX_RUN_LENGTH_PIXELS} in all; save it as PNG"
            )
    elif len(data) < offset + (width * bits + 31) // 32 * 4 * (height - 1):
        raise ValueError("cut short")
    return Look("BMP", width, height, data)
