"""A look at GIF: a screen, a palette, and blocks; the first picture is taken.

Source: the GIF89a specification (CompuServe, 1990).
"""

from __future__ import annotations

import re
import struct

from bundle.containers.look import MAX_PIECES, Look, check_pixels, too_many

_EXTENSION, _IMAGE = 0x21, 0x2C
_CONTROL = 0xF9
# Decoders pass over bytes between blocks that begin no block; 3B is the end.
_BLOCK = re.compile(rb"[!,;]")


def look(data: bytes) -> Look:
    """Look through a GIF up to its first picture; see ``bundle.containers.look``.

    The screen is made as large as the picture needs, which Pillow does too.
    """
    width, height, flags = struct.unpack_from("<HHB", data, 6)
    start = place = 13 + _palette_bytes(flags)
    control = b""
    pieces = 0
    while True:
        found = _BLOCK.search(data, place)
        if found is None or found[0] == b";":
            raise ValueError("no picture before the end")
        place = found.start()
        if data[place] == _IMAGE:
            break
        kind, first = data[place + 1], place + 2
        place = first
        while size := data[place]:
            place += 1 + size
            pieces += 1
            if pieces > MAX_PIECES:
                break
        place += 1
        pieces += 1
        if pieces > MAX_PIECES:
            raise too_many("blocks before its picture", MAX_PIECES)
        # This block tells the transparent colour; a shorter one tells nothing.
        if kind == _CONTROL and data[first] >= 4:
            control = data[first - 2 : first + 5] + b"\0"
            control = control[:2] + b"\4" + control[3:]
    left, top, columns, rows = struct.unpack_from("<HHHH", data, place + 1)
    width, height = max(width, left + columns), max(height, top + rows)
    check_pixels(width, height)
    if place != start:
        data = data[:start] + control + data[place:]
    return Look("GIF", width, height, data)


def _palette_bytes(flags: int) -> int:
    return 3 << ((flags & 7) + 1) if flags & 128 else 0
