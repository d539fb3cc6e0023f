"""Pictures and multipart bodies, as clients send them."""

from __future__ import annotations

import io

import numpy as np
from PIL import Image


def png(pixels: list[list[int]]) -> bytes:
    """A gray PNG of these 0..255 values."""
    target = io.BytesIO()
    Image.fromarray(np.array(pixels, np.uint8)).save(target, "PNG")
    return target.getvalue()


def form(**fields: bytes | str) -> tuple[bytes, dict[str, str]]:
    """A multipart body as curl -F sends it, and its header."""
    return multipart(
        *(
            (name, value, "x.bin" if isinstance(value, bytes) else None)
            for name, value in fields.items()
        )
    )


def multipart(
    *parts: tuple[str, bytes | str, str | None],
) -> tuple[bytes, dict[str, str]]:
    """The same of parts: a field's name, its content, and a file's name or None."""
    boundary = "----------------------------curlcurlcurl"
    body = b""
    for name, value, filename in parts:
        content = value.encode() if isinstance(value, str) else value
        file = f'; filename="{filename}"' if filename is not None else ""
        body += (
            f"--{boundary}\r\n"
            f'Content-Disposition: form-data; name="{name}"{file}\r\n\r\n'
        ).encode()
        body += content + b"\r\n"
    body += f"--{boundary}--\r\n".encode()
    return body, {"Content-Type": f"multipart/form-data; boundary={boundary}"}
