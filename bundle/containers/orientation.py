"""EXIF's orientation, the one tag of a picture's metadata that its pixels need.

Pillow reads all tags, and writes them again when it turns a picture. One other tag of
an odd type was enough to make it fail, so only this tag is read here.
"""

from __future__ import annotations

import struct

UPRIGHT = 1

_PREFIX = b"Exif\0\0"
_ORDERS = {b"II": "<", b"MM": ">"}
_TAG = 0x0112
# TIFF's types that can hold the tag, with struct's letters for them. EXIF demands
# SHORT, and some programs write BYTE or LONG.
_TYPES = {1: "B", 3: "H", 4: "I"}


def orientation_of(exif: bytes) -> int:
    """Read the tag from a block of EXIF, which is a TIFF file.

    Args:
        exif: the block, with or without EXIF's six bytes before it.

    Returns:
        A number from 1 to 8. It is 1 (upright) if the block is damaged, has no such
        tag, or has one of another type or outside of this range.

    Source: TIFF 6.0, sections 2 and 8; EXIF 2.32, 4.6.4.
    """
    exif = exif.removeprefix(_PREFIX)
    order = _ORDERS.get(exif[:2])
    if order is None:
        return UPRIGHT
    try:
        version, start = struct.unpack_from(f"{order}HI", exif, 2)
        (entries,) = struct.unpack_from(f"{order}H", exif, start)
        if version != 42:
            return UPRIGHT
        for place in range(start + 2, start + 2 + 12 * entries, 12):
            tag, kind, count = struct.unpack_from(f"{order}HHI", exif, place)
            if tag == _TAG:
                if count != 1 or kind not in _TYPES:
                    return UPRIGHT
                value: int
                (value,) = struct.unpack_from(order + _TYPES[kind], exif, place + 8)
                return value if 1 <= value <= 8 else UPRIGHT
    except struct.error:
        pass
    return UPRIGHT
