"""The requests that each server takes, and the scores in its answers."""

from __future__ import annotations

import base64
import json
import struct
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bench.errors import BenchError

_BOUNDARY = "bench-7c1f0e5a9b3d"
_JSON: Mapping[str, str] = {"Content-Type": "application/json"}


@dataclass(frozen=True)
class Request:
    """A POST request.

    Attributes:
        path: the path of its URL.
        headers: its headers, without Host and Content-Length.
        body: the bytes of its body.
        protocol: the protocol's name in the tables.
    """

    path: str
    headers: Mapping[str, str]
    body: bytes
    protocol: str


@dataclass(frozen=True)
class Asked:
    """The content of a request, with the right answer.

    Attributes:
        model: the model's name.
        pictures: image files.
        pixels: the decoded pictures, ``(N, H, W, C)`` uint8.
        scores: the right answer, ``(N, classes)`` float32.
    """

    model: str
    pictures: Sequence[bytes]
    pixels: NDArray[np.uint8] = field(repr=False)
    scores: NDArray[np.float32] = field(repr=False)

    def first(self, count: int) -> Asked:
        """Take only the first ``count`` pictures."""
        return Asked(
            self.model,
            self.pictures[:count],
            self.pixels[:count],
            self.scores[:count],
        )


# A function of this kind makes the request of one protocol.
Wire = Callable[["Asked"], Request]


def form(path: str, name: str = "image", model: bool = True) -> Wire:
    """Make requests in multipart, with a part for each image."""

    def ask(asked: Asked) -> Request:
        parts = [
            f'--{_BOUNDARY}\r\nContent-Disposition: form-data; name="{name}";'
            f' filename="{i}.{_kind(picture)}"\r\n'
            f"Content-Type: image/{_kind(picture)}\r\n\r\n".encode()
            + picture
            for i, picture in enumerate(asked.pictures)
        ]
        if model:
            parts.append(
                f"--{_BOUNDARY}\r\nContent-Disposition: form-data;"
                f' name="model"\r\n\r\n{asked.model}'.encode()
            )
        body = b"\r\n".join([*parts, f"--{_BOUNDARY}--\r\n".encode()])
        kind = f"multipart/form-data; boundary={_BOUNDARY}"
        return Request(path, {"Content-Type": kind}, body, "multipart")

    return ask


def tfaas_json(path: str) -> Wire:
    """Make requests in TFaaS's JSON, with a row of numbers for each image."""

    def ask(asked: Asked) -> Request:
        rows = asked.pixels.reshape(len(asked.pixels), -1).tolist()
        values = rows[0] if len(rows) == 1 else rows
        content = {"keys": [], "values": values, "model": asked.model}
        return Request(path, _JSON, _compact(content), "JSON")

    return ask


def json_pixels(path: str, key: str) -> Wire:
    """Make requests in JSON, with the pixels as nested lists."""

    def ask(asked: Asked) -> Request:
        return Request(path, _JSON, _compact({key: asked.pixels.tolist()}), "JSON")

    return ask


def json_base64(path: str, key: str) -> Wire:
    """Make requests in JSON, with the image files in base64."""

    def ask(asked: Asked) -> Request:
        content = {key: [_base64(picture) for picture in asked.pictures]}
        return Request(path, _JSON, _compact(content), "JSON, base64")

    return ask


def v2_json(path: str) -> Wire:
    """Make requests of the Open Inference Protocol, with pixels in JSON."""

    def ask(asked: Asked) -> Request:
        tensor = {
            "name": "pixels",
            "shape": list(asked.pixels.shape),
            "datatype": "FP32",
            "data": asked.pixels.ravel().tolist(),
        }
        return Request(path, _JSON, _compact({"inputs": [tensor]}), "v2 JSON")

    return ask


def v2_base64(path: str) -> Wire:
    """Make requests of the Open Inference Protocol, with MLServer's base64 images."""

    def ask(asked: Asked) -> Request:
        tensor = {
            "name": "image",
            "shape": [len(asked.pictures), 1],
            "datatype": "BYTES",
            "parameters": {"content_type": "base64"},
            "data": [_base64(picture) for picture in asked.pictures],
        }
        content = _compact({"inputs": [tensor]})
        return Request(path, _JSON, content, "v2 JSON, base64")

    return ask


def v2_binary(path: str) -> Wire:
    """Make requests of the Open Inference Protocol, with Triton's binary images."""

    def ask(asked: Asked) -> Request:
        data = b"".join(
            struct.pack("<I", len(picture)) + picture for picture in asked.pictures
        )
        tensor = {
            "name": "image",
            "shape": [len(asked.pictures), 1],
            "datatype": "BYTES",
            "parameters": {"binary_data_size": len(data)},
        }
        head = _compact({"inputs": [tensor]})
        headers = {
            "Content-Type": "application/octet-stream",
            "Inference-Header-Content-Length": str(len(head)),
        }
        return Request(path, headers, head + data, "v2 binary")

    return ask


def scores(reply: bytes) -> NDArray[np.float32]:
    """Read the numbers of a reply of any protocol.

    Returns:
        All numbers in one row, ``(N * classes,)`` float32.

    Raises:
        BenchError: the reply holds no numbers.
    """
    try:
        content = json.loads(reply)
        if isinstance(content, dict):
            content = _told(content)
        return np.asarray(content, np.float32).ravel()
    except (LookupError, TypeError, ValueError) as ex:
        text = reply[:200].decode(errors="replace")
        raise BenchError(f"the answer holds no scores: {text!r}") from ex


def _told(content: dict[str, Any]) -> Any:
    if "outputs" in content:
        return content["outputs"][0]["data"]
    return content["predictions"]


def _compact(content: object) -> bytes:
    return json.dumps(content, separators=(",", ":")).encode()


def _base64(picture: bytes) -> str:
    return base64.b64encode(picture).decode()


def _kind(picture: bytes) -> str:
    return "png" if picture.startswith(b"\x89PNG") else "jpeg"
