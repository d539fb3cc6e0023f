"""Named arrays through a socket, between two processes; one of them is not trusted.

A frame is a head of two numbers, a JSON object that describes the arrays, and the
arrays' bytes. No part of it is code. So a model that has taken over the other process
cannot make this one run code, as it could with pickle.
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

# The number of bytes of the description, and that of the arrays.
_HEAD = struct.Struct("<QQ")
# Each array begins at a multiple of this many bytes, because numpy prefers it so.
_ALIGNED = 16
# A frame of fewer bytes is read at once, and sent in one piece.
_SMALL = 1 << 16
# A frame has at most this many bytes. The largest batch of a model has fewer, and a
# process that claims more takes no memory here.
MAX_BYTES: Final = 1 << 30
_MAX_DESCRIPTION = 1 << 22
# numpy allows so many axes. So many texts are allowed, because each takes some 50 more
# bytes here.
_MAX_AXES = 64
_MAX_TEXTS = 1 << 22
# numpy's own dtypes, by their ``numpy.dtype.name``; ``object`` stands for texts.
_DTYPES = frozenset(
    {
        *("bool", "float16", "float32", "float64", "complex64", "complex128", "object"),
        *(f"{sign}int{bits}" for sign in ("", "u") for bits in (8, 16, 32, 64)),
    }
)

Arrays = Mapping[str, NDArray[Any]]


class FrameError(Exception):
    """The other side sent something that is not a frame."""


class Lane:
    """One end of a connection on which frames are sent and received in turn.

    Args:
        end: a connected stream socket; the lane closes it.
        seconds: the time that a whole frame may take. The socket's own time limit would
            count anew for each piece of a frame.
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
            said: a description that goes with the arrays, of JSON's types.
            arrays: arrays of any shape, by name: numbers, or dtype object with texts
                or bytes.

            OSError: the other side has gone, or takes too long (``BlockingIOError``).
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
            The description, and the arrays by name. Texts are ``bytes`` in arrays of
            dtype object.

        Raises:
            EOFError: the other side has gone.
            FrameError: the other side sent something that is not a frame.
            OSError: the connection broke, or the time is over (``BlockingIOError``).
        """
        end = time.monotonic() + self._seconds
        view = memoryview(self._buffer)
        come = self._read(view, 0, _HEAD.size, end)
        described, size = _HEAD.unpack_from(view)
        total = _HEAD.size + described + size
        if described > _MAX_DESCRIPTION or size > MAX_BYTES or come > total:
            raise FrameError("a frame cannot have this length")
        frame = bytearray(total)
        whole = memoryview(frame)
        whole[:come] = view[:come]
        self._read(whole, come, total, end)
        start = _HEAD.size + described
        try:
            said = orjson.loads(whole[_HEAD.size : start])
            arrays = _arrays(said.pop("arrays"), whole[start:])
        except (ValueError, TypeError, KeyError, AttributeError, OverflowError) as ex:
            raise FrameError("a frame's description does not fit its content") from ex
        return said, arrays

    def _read(self, view: memoryview, come: int, wanted: int, end: float) -> int:
        """Fill a view up to ``wanted`` bytes or more; return how many it holds now."""
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
            # A short piece each time, because the socket's own time limit counts anew
            # for each part of a larger one.
            view = view[self._socket.send(view[:_SMALL]) :]
            if view:
                _see_that_there_is_time(end)


def _see_that_there_is_time(end: float) -> None:
    if time.monotonic() > end:
        raise BlockingIOError("a frame takes too long")


def dtype_of(name: str) -> np.dtype[Any]:
    """Return the dtype with this ``numpy.dtype.name``.

    Raises:
        ValueError: no engine answers with such a dtype.
    """
    if name not in _DTYPES:
        # bfloat16 and similar dtypes come with TensorFlow, in this package.
        import ml_dtypes

        if name not in ml_dtypes.__all__:
            raise ValueError(f"no engine has the dtype {name!r}")
        dtype: np.dtype[Any] = np.dtype(vars(ml_dtypes)[name])
        return dtype
    return np.dtype(name)


def _bytes(array: NDArray[Any]) -> memoryview:
    # A memoryview cannot show every dtype, but it can show the bytes.
    return np.ascontiguousarray(array).reshape(-1).view(np.uint8).data


def _texts(array: NDArray[Any]) -> bytes:
    """Return the lengths of all texts, and then the texts themselves."""
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
            raise ValueError("an array is missing")
        end = start + size
        piece = content[start:end]
        flat = (
            _texts_of(piece, count)
            if dtype.hasobject
            else _numbers_of(np.frombuffer(piece, np.uint8), dtype)
        )
        if len(flat) != count:
            raise ValueError("an array has another size than its description says")
        arrays[name] = flat.reshape(shape)
        start = end + -size % _ALIGNED
    return arrays


def _whole(number: object) -> int:
    # bool is excluded too: to Python, True is an int. A text would pass the sums below,
    # because Python multiplies texts by numbers.
    if type(number) is not int:
        raise ValueError("a number is not whole")
    return number


def _count(shape: list[Any]) -> int:
    """Count the numbers in an array of this shape."""
    # The product of more or longer axes would take minutes.
    if len(shape) > _MAX_AXES:
        raise ValueError("an array has too many axes")
    if not all(0 <= _whole(side) <= MAX_BYTES for side in shape):
        raise ValueError("an axis cannot have this length")
    return math.prod(shape)


def _numbers_of(content: NDArray[np.uint8], dtype: np.dtype[Any]) -> NDArray[Any]:
    # numpy and orjson rely on it that each byte of a bool is 0 or 1.
    if dtype == np.bool_ and content.max(initial=0) > 1:
        raise ValueError("a bool is neither true nor false")
    return content.view(dtype)


def _texts_of(piece: memoryview, count: int) -> NDArray[Any]:
    start = 8 * count
    if start > len(piece) or count > _MAX_TEXTS:
        raise ValueError("texts are too many, or have no lengths")
    lengths = np.frombuffer(piece[:start], "<u8")
    texts = np.empty(count, object)
    for number, length in enumerate(lengths.tolist()):
        texts[number] = bytes(piece[start : start + length])
        start += length
    if start != len(piece):
        raise ValueError("texts have other lengths than their description says")
    return texts
