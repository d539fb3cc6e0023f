"""Binary tensors: the bytes of an array, without a text between.

Numbers stand in little-endian order and row by row, without gaps. A BOOL is one byte, 0
or 1. An element of BYTES is its length, four bytes, and then the bytes themselves.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bundle.errors import ShapeError
from runtime.wire.content import numbers_of
from runtime.wire.oip.datatypes import BYTES, DTYPES

_LENGTH = struct.Struct("<I")


def from_blob(
    what: str, blob: memoryview, datatype: str, shape: tuple[int, ...]
) -> NDArray[Any]:
    """Read an array; numbers are not copied where their place in memory allows that.

    Args:
        what: the name of the input in an error.
        blob: all bytes of the tensor.
        datatype: the protocol's name of its type.
        shape: its shape.

    Returns:
        An array of the shape and of the datatype's dtype. Elements of BYTES are objects
        of ``bytes``.

    Raises:
        ShapeError: the bytes are not as many as the shape takes.
        InvalidInput: a BOOL is neither 0 nor 1.
    """
    count = math.prod(shape)
    if datatype == BYTES:
        # The count is checked before there is an array of so many objects.
        found = _elements(what, blob, count)
        elements = np.empty(count, object)
        elements[:] = found
        return elements.reshape(shape)
    return numbers_of(what, blob, datatype, DTYPES[datatype], shape)


def _elements(what: str, blob: memoryview, count: int) -> list[bytes]:
    """Take the elements of BYTES apart; each is bounded before it is read."""
    elements: list[bytes] = []
    # Each element takes four bytes at least. A huge count is refused at once.
    if count * _LENGTH.size > len(blob):
        raise ShapeError(
            f"{what} has {len(blob)} bytes of binary data, and {count} elements of"
            f" BYTES take at least {count * _LENGTH.size}"
        )
    place = 0
    for number in range(1, count + 1):
        if place + _LENGTH.size > len(blob):
            raise ShapeError(
                f"{what} ends after {number - 1} elements of BYTES, and its shape takes"
                f" {count}"
            )
        (length,) = _LENGTH.unpack_from(blob, place)
        place += _LENGTH.size
        if length > len(blob) - place:
            raise ShapeError(
                f"element {number} of {what} says {length} bytes, which is beyond the"
                f" end: expecting {length - (len(blob) - place)} additional bytes"
            )
        elements.append(bytes(blob[place : place + length]))
        place += length
    if place != len(blob):
        raise ShapeError(
            f"unexpected additional input data: {what} has {len(blob) - place} bytes"
            f" after its {count} elements"
        )
    return elements


def to_blob(array: NDArray[Any]) -> bytes:
    """Write an array of any shape and dtype; texts are written in UTF-8."""
    if array.dtype.kind in "OSU":
        return to_elements(array.ravel().tolist())
    return array.tobytes()


def to_elements(values: Iterable[str | bytes]) -> bytes:
    """Write texts or bytes as elements of BYTES."""
    pieces = []
    for value in values:
        element = value.encode() if isinstance(value, str) else value
        pieces += [_LENGTH.pack(len(element)), element]
    return b"".join(pieces)
