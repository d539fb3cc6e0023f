"""Named arrays through a socket, between two processes of which one is not trusted.

A frame is a head of two numbers, a JSON object that describes the arrays, and their
bytes. Nothing in it is code: what pickle would run for a model that took the other
process over, this reader refuses.
"""

from __future__ import annotations

import math
import socket
import struct
import time
from collections.abc import Mapping
from typing import Any, Final

import numpy as np
import orjson
from numpy.typing import NDArray

# Bytes of the description, and of the arrays.
_HEAD = struct.Struct("<QQ")
# Each array begins at a multiple of this, as numpy likes it.
_ALIGNED = 16
# A frame of less is read at once, and is sent as one piece.
_SMALL = 1 << 16
# Bytes of one frame: the largest batch that a model may be asked for has fewer, and
# a process that claims more takes no memory here.
MAX_BYTES: Final = 1 << 30
_MAX_DESCRIPTION = 1 << 22
# Axes of one array, as numpy has it, and texts: each takes some 50 bytes more here.
_MAX_AXES = 64
_MAX_TEXTS = 1 << 22
# numpy's own, by the names that ``numpy.dtype.name`` gives them; object is texts.
_DTYPES = frozenset(
    {
        *("bool", "float16", "float32", "float64", "complex64", "complex128", "object"),
        *(f"{sign}int{bits}" for sign in ("", "u") for bits in (8, 16, 32, 64)),
    }
)

Arrays = Mapping[str, NDArray[Any]]


class FrameError(Exception):
    """The other side sent something that is no frame."""


class Lane:
    """One end of a connection on which frames are sent and received, in turn.

    Args:
        end: a connected stream socket; it is closed with the lane.
        seconds: that a frame may take. A limit of the socket's own holds for each
            piece of a frame alone, and a frame may come in many.
    """

    def __init__(self, end: socket.socket, seconds: float = math.inf) -> None:
        self._socket = end
        self._seconds = seconds
        self._buffer = bytearray(_SMALL)

    def close(self) -> None:
        """Close the connection; the other side sees its end."""
        self._socket.close()

    def send(self, said: Mapping[str, Any], arrays: Arrays | None = None) -> None:
        """Send a frame.

        Args:
            said: what goes with the arrays; JSON's types.
            arrays: of numbers, or of dtype object with texts or bytes.

        Raises:
            OSError: the other side is gone, or takes too long (``BlockingIOError``).
        """
        described, pieces, size = [], [], 0
        for name, array in (arrays or {}).items():
            content = _texts(array) if array.dtype.hasobject else _bytes(array)
            described.append([name, array.dtype.name, array.shape, len(content)])
            padding = -len(content) % _ALIGNED
            pieces += [content, bytes(padding)]
            size += len(content) + padding
        text = orjson.dumps({**said, "arrays": described})
        text += b" " * (-(len(text) + _HEAD.size) % _ALIGNED)
        pieces[:0] = [_HEAD.pack(len(text), size), text]
        if size < _SMALL:
            pieces = [b"".join(pieces)]
        end = time.monotonic() + self._seconds
        for piece in pieces:
            self._write(memoryview(piece), end)

    def receive(self) -> tuple[dict[str, Any], dict[str, NDArray[Any]]]:
        """Wait for a frame.

        Returns:
            The words, and the arrays; texts are bytes, in arrays of dtype object.

        Raises:
            EOFError: the other side is gone.
            FrameError: it sent no frame.
            OSError: the connection broke, or its time is over (``BlockingIOError``).
        """
        end = time.monotonic() + self._seconds
        view = memoryview(self._buffer)
        come = self._read(view, 0, _HEAD.size, end)
        described, size = _HEAD.unpack_from(view)
        total = _HEAD.size + described + size
        if described > _MAX_DESCRIPTION or size > MAX_BYTES or come > total:
            raise FrameError("a frame has no such length")
        frame = bytearray(total)
        whole = memoryview(frame)
        whole[:come] = view[:come]
        self._read(whole, come, total, end)
        start = _HEAD.size + described
        try:
            said = orjson.loads(whole[_HEAD.size : start])
            arrays = _arrays(said.pop("arrays"), whole[start:])
        except (ValueError, TypeError, KeyError, AttributeError, OverflowError) as ex:
            raise FrameError("a frame does not describe what it holds") from ex
        return said, arrays

    def _read(self, view: memoryview, come: int, wanted: int, end: float) -> int:
        """Fill a view at least so far; how far it is filled."""
        while come < wanted:
            count = self._socket.recv_into(view[come:])
            if not count:
                raise EOFError
            come += count
            if come < wanted:
                _see_that_there_is_time(end)
        return come

    def _write(self, view: memoryview, end: float) -> None:
        while view:
            # Of a larger piece the socket's own limit holds for each part, inside.
            view = view[self._socket.send(view[:_SMALL]) :]
            if view:
                _see_that_there_is_time(end)


def _see_that_there_is_time(end: float) -> None:
    if time.monotonic() > end:
        raise BlockingIOError("a frame takes too long")


def dtype_of(name: str) -> np.dtype[Any]:
    """The dtype of a name, as ``numpy.dtype.name`` has it.

    Raises:
        ValueError: no engine answers with such a thing.
    """
    if name not in _DTYPES:
        # bfloat16 and its kin; TensorFlow brings the package.
        import ml_dtypes

        if name not in ml_dtypes.__all__:
            raise ValueError(f"{name!r} is no dtype of an engine's")
        dtype: np.dtype[Any] = np.dtype(vars(ml_dtypes)[name])
        return dtype
    return np.dtype(name)


def _bytes(array: NDArray[Any]) -> memoryview:
    # Not every dtype can be shown as a memoryview; its bytes can.
    return np.ascontiguousarray(array).reshape(-1).view(np.uint8).data


def _texts(array: NDArray[Any]) -> bytes:
    """The lengths of all, and then all of them."""
    texts = [
        text if isinstance(text, bytes) else str(text).encode("utf-8", "surrogatepass")
        for text in array.reshape(-1)
    ]
    lengths = np.array([len(text) for text in texts], "<u8")
    return lengths.tobytes() + b"".join(texts)


def _arrays(described: list[Any], content: memoryview) -> dict[str, NDArray[Any]]:
    arrays = {}
    start = 0
    for name, dtype_name, shape, size in described:
        dtype = dtype_of(dtype_name)
        count = _count(shape)
        if type(name) is not str or not 0 <= _whole(size) <= len(content) - start:
            raise ValueError("an array is not there")
        end = start + size
        piece = content[start:end]
        flat = (
            _texts_of(piece, count)
            if dtype.hasobject
            else _numbers_of(np.frombuffer(piece, np.uint8), dtype)
        )
        if len(flat) != count:
            raise ValueError("an array has another size")
        arrays[name] = flat.reshape(shape)
        start = end + -size % _ALIGNED
    return arrays


def _whole(number: object) -> int:
    # A text times a number is a longer text, and True is an int to Python.
    if type(number) is not int:
        raise ValueError("no whole number")
    return number


def _count(shape: list[Any]) -> int:
    """How many numbers an array of this shape holds."""
    # More, or longer, would take minutes to be multiplied.
    if len(shape) > _MAX_AXES:
        raise ValueError("an array has too many axes")
    if not all(0 <= _whole(side) <= MAX_BYTES for side in shape):
        raise ValueError("an axis has no such length")
    return math.prod(shape)


def _numbers_of(content: NDArray[np.uint8], dtype: np.dtype[Any]) -> NDArray[Any]:
    # numpy and orjson take each byte of bools for 0 or 1, and count by it.
    if dtype == np.bool_ and content.max(initial=0) > 1:
        raise ValueError("a bool is neither true nor false")
    return content.view(dtype)


def _texts_of(piece: memoryview, count: int) -> NDArray[Any]:
    start = 8 * count
    if start > len(piece) or count > _MAX_TEXTS:
        raise ValueError("texts have no lengths, or are too many")
    lengths = np.frombuffer(piece[:start], "<u8")
    texts = np.empty(count, object)
    for number, length in enumerate(lengths.tolist()):
        texts[number] = bytes(piece[start : start + length])
        start += length
    if start != len(piece):
        raise ValueError("texts have other lengths")
    return texts
