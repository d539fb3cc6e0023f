"""Pictures on their way to a model."""

from __future__ import annotations

import io
import os
import struct
import zlib
from pathlib import Path
from typing import IO, Any, Protocol, TypeAlias, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from tfaas_onnx.errors import WrongArgument

# The type of a PNG, by the number of channels: grey, grey with alpha, RGB, RGBA.
_TYPES = {1: 0, 2: 4, 3: 2, 4: 6}


@runtime_checkable
class Saveable(Protocol):
    """A picture that can write itself, such as a ``PIL.Image.Image``."""

    def save(self, fp: IO[bytes], format: str) -> Any:
        """Write the picture into a file."""


Picture: TypeAlias = "str | os.PathLike[str] | bytes | NDArray[np.uint8] | Saveable"


def read_picture(picture: Picture) -> tuple[str, bytes]:
    """Return a picture's file name and its bytes.

    Args:
        picture: the path of a file; the bytes of one; an array ``(H, W)`` or
            ``(H, W, C)`` of uint8 with 1 to 4 channels; or a PIL image. The last two
            are sent as PNG, which changes no pixel.

    Raises:
        WrongArgument: it is none of them, or the file cannot be read.
    """
    if isinstance(picture, (str, os.PathLike)):
        path = Path(picture)
        try:
            return path.name, path.read_bytes()
        except OSError as ex:
            problem = f"{path} cannot be read: {ex.strerror}"
            raise WrongArgument("picture", problem) from ex
    if isinstance(picture, (bytes, bytearray, memoryview)):
        return "picture", bytes(picture)
    if isinstance(picture, np.ndarray):
        return "picture.png", to_png(picture)
    if isinstance(picture, Saveable):
        stream = io.BytesIO()
        picture.save(stream, "PNG")
        return "picture.png", stream.getvalue()
    raise WrongArgument(
        "picture",
        f"is {type(picture).__name__}; give a path, bytes, an array or a PIL image",
    )


def to_png(pixels: NDArray[Any]) -> bytes:
    """Write an array as a PNG.

    Args:
        pixels: ``(H, W)`` or ``(H, W, C)`` uint8, with 1 to 4 channels.

    Raises:
        WrongArgument: the array has another dtype or shape.
    """
    channels = pixels.shape[2] if pixels.ndim == 3 else 1
    if pixels.dtype != np.uint8:
        raise WrongArgument(
            "picture", f"holds {pixels.dtype}; give uint8, 0 to 255, or use predict()"
        )
    if pixels.ndim not in (2, 3) or channels not in _TYPES or not pixels.size:
        raise WrongArgument(
            "picture", f"has the shape {pixels.shape}; give (H, W) or (H, W, 1 to 4)"
        )
    height, width = pixels.shape[:2]
    rows = np.ascontiguousarray(pixels).reshape(height, width * channels)
    # Each row begins with the number of its filter; 0 is none.
    filtered = np.pad(rows, ((0, 0), (1, 0)))
    head = struct.pack(">IIBBBBB", width, height, 8, _TYPES[channels], 0, 0, 0)
    return b"".join(
        [
            b"\x89PNG\r\n\x1a\n",
            _chunk(b"IHDR", head),
            _chunk(b"IDAT", zlib.compress(filtered.tobytes(), 1)),
            _chunk(b"IEND", b""),
        ]
    )


def _chunk(name: bytes, content: bytes) -> bytes:
    checked = name + content
    return b"".join(
        [
            struct.pack(">I", len(content)),
            checked,
            struct.pack(">I", zlib.crc32(checked)),
        ]
    )
