"""Pictures and multipart bodies are made as clients send them."""

from __future__ import annotations

import io
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from PIL import Image

BOUNDARY = "----------------------------curlcurlcurl"


@dataclass(frozen=True)
class File:
    """A file of a form, as curl -F field=@NAME sends it."""

    name: str
    data: bytes


Value = bytes | str | File


def png(pixels: ArrayLike) -> bytes:
    """Return a PNG of 0..255 values: gray if ``(H, W)``, colour if ``(H, W, 3)``."""
    target = io.BytesIO()
    Image.fromarray(np.array(pixels, np.uint8)).save(target, "PNG")
    return target.getvalue()


def form(**fields: Value | list[Value]) -> tuple[bytes, dict[str, str]]:
    """Return a multipart body as curl -F sends it, and its header.

    Bytes become a file with the name x.bin; a list becomes several fields of one name.
    """
    parts: list[tuple[str, bytes | str, str | None]] = []
    for name, values in fields.items():
        for value in values if isinstance(values, list) else [values]:
            if isinstance(value, File):
                parts.append((name, value.data, value.name))
            else:
                parts.append(
                    (name, value, "x.bin" if isinstance(value, bytes) else None)
                )
    return multipart(*parts)


def multipart(
    *parts: tuple[str, bytes | str, str | None],
) -> tuple[bytes, dict[str, str]]:
    """Return a form of parts: a field's name, its content, a file's name or None."""
    body = b""
    for name, value, filename in parts:
        content = value.encode() if isinstance(value, str) else value
        file = f'; filename="{filename}"' if filename is not None else ""
        body += (
            f"--{BOUNDARY}\r\n"
            f'Content-Disposition: form-data; name="{name}"{file}\r\n\r\n'
        ).encode()
        body += content + b"\r\n"
    body += f"--{BOUNDARY}--\r\n".encode()
    return body, {"Content-Type": f"multipart/form-data; boundary={BOUNDARY}"}
