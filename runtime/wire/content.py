"""The bytes in a request to arrays: numbers as they stand, and texts in UTF-8."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bundle.errors import ShapeError
from runtime.errors import InvalidInput


def numbers_of(
    what: str,
    content: bytes | memoryview,
    datatype: str,
    dtype: np.dtype[Any],
    shape: tuple[int, ...],
) -> NDArray[Any]:
    """Read numbers; they are not copied where their place in memory allows that.

    Args:
        what: the name of the input in an error.
        content: all bytes of the tensor, in little-endian order and row by row.
        datatype: the protocol's name of its type.
        dtype: numpy's dtype of it.
        shape: its shape.

    Returns:
        An array of the shape and the dtype.

    Raises:
        ShapeError: the bytes are not as many as the shape takes.
        InvalidInput: a truth value is neither 0 nor 1.
    """
    # Python's numbers have no end, so a huge shape is no smaller one here.
    wanted = math.prod(shape) * dtype.itemsize
    if len(content) != wanted:
        raise ShapeError(
            f"{what} has {len(content)} bytes of binary data, and its shape"
            f" {list(shape)} of {datatype} takes {wanted}"
        )
    array = np.frombuffer(content, dtype)
    if dtype.kind == "b" and (array.view(np.uint8) > 1).any():
        raise InvalidInput(f"{what} holds a {datatype} that is neither 0 nor 1")
    # The bytes may stand anywhere in a body, and some engines read numbers only at
    # addresses that are multiples of their size.
    if not array.flags.aligned:
        array = array.copy()
    return array.reshape(shape)


def texts_of(what: str, elements: NDArray[Any]) -> NDArray[Any]:
    """Read elements of BYTES as texts.

    Args:
        what: the name of the input in an error.
        elements: an array of any shape with objects of ``bytes``.

    Returns:
        An array of the same shape with objects of ``str``.

    Raises:
        InvalidInput: an element is not UTF-8.
    """
    texts = np.empty(elements.size, object)
    try:
        texts[:] = [element.decode() for element in elements.ravel()]
    except UnicodeDecodeError:
        raise InvalidInput(
            f"{what} holds an element that is not a text in UTF-8"
        ) from None
    return texts.reshape(elements.shape)
