"""Pictures and multipart bodies, as clients send them."""

from __future__ import annotations

import io
from dataclasses import dataclass

import numpy as np
from PIL import Image

BOUNDARY = "----------------------------curlcurlcurl"


@dataclass(frozen=True)
class File:
    """A file of a form, as curl -F field=@NAME sends it."""

    name: str
    data: bytes


Value = bytes | str | File


def png(pixels: list[list[int]]) -> bytes:
    """A gray PNG of these 0..255 values."""
    target = io.BytesIO()
    Image.fromarray(np.array(pixels, np.uint8)).save(target, "PNG")
    return target.getvalue()


def form(**fields: Value | list[Value]) -> tuple[bytes, dict[str, str]]:
    """A multipart body as curl -F sends it, and its header.

    Bytes are a file called x.bin; a list is a field that stands there several times.
    """
    body = b""
    for name, values in fields.items():
        for value in values if isinstance(values, list) else [values]:
            body += part(name, value)
    body += f"--{BOUNDARY}--\r\n".encode()
    return body, {"Content-Type": f"multipart/form-data; boundary={BOUNDARY}"}


def part(name: str, value: Value) -> bytes:
    """One field of a form, its boundary before it."""
    if isinstance(value, bytes):
        value = File("x.bin", value)
    head = f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="{name}"'
    if isinstance(value, File):
        head += f'; filename="{value.name}"\r\nContent-Type: application/octet-stream'
        return head.encode() + b"\r\n\r\n" + value.data + b"\r\n"
    return head.encode() + b"\r\n\r\n" + value.encode() + b"\r\n"
