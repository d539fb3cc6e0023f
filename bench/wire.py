"""The requests that each server takes, and the scores in its answers."""

from __future__ import annotations

import base64
import json
import struct
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from google.protobuf.message import DecodeError
from numpy.typing import NDArray

from bench.errors import BenchError
from runtime.wire.oip.inference_pb2 import ModelInferRequest, ModelInferResponse

_BOUNDARY = "bench-7c1f0e5a9b3d"
_JSON: Mapping[str, str] = {"Content-Type": "application/json"}
_DECODER = json.JSONDecoder()

# The path of a request, and the full name of its method.
GRPC_INFER = "/inference.GRPCInferenceService/ModelInfer"


@dataclass(frozen=True)
class Request:
    """A POST request.

    Attributes:
        path: the path of its URL.
        headers: its headers, without Host and Content-Length.
        body: the bytes of its body.
        protocol: the protocol's name in the tables.
        is_grpc: whether it goes to the server's port for gRPC.
    """

    path: str
    headers: Mapping[str, str]
    body: bytes
    protocol: str
    is_grpc: bool = False


@dataclass(frozen=True)
class Asked:
    """The content of a request, with the right answer.

    Attributes:
        model: the model's name.
        input: the name of the model's input.
        pictures: image files.
        pixels: the decoded pictures, ``(N, H, W, C)`` uint8.
        scores: the right answer, ``(N, classes)`` float32.
    """

    model: str
    input: str
    pictures: Sequence[bytes]
    pixels: NDArray[np.uint8] = field(repr=False)
    scores: NDArray[np.float32] = field(repr=False)

    def first(self, count: int) -> Asked:
        """Take only the first ``count`` pictures."""
        return Asked(
            self.model,
            self.input,
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


def v2_json(path: str, name: str = "") -> Wire:
    """Make requests of the Open Inference Protocol, with pixels in JSON.

    Args:
        path: the path, which may contain ``{model}``.
        name: the input's name; empty takes that of the model.
    """

    def ask(asked: Asked) -> Request:
        tensor = {
            "name": name or asked.input,
            "shape": list(asked.pixels.shape),
            "datatype": "FP32",
            "data": asked.pixels.ravel().tolist(),
        }
        content = _compact({"inputs": [tensor]})
        return Request(path.format(model=asked.model), _JSON, content, "v2 JSON")

    return ask


def v2_tensor(path: str, name: str = "") -> Wire:
    """Make requests of the Open Inference Protocol, with pixels as binary floats.

    The answer is binary too. See ``v2_json`` for the arguments.
    """

    def ask(asked: Asked) -> Request:
        data = asked.pixels.astype("<f4").tobytes()
        tensor = {
            "name": name or asked.input,
            "shape": list(asked.pixels.shape),
            "datatype": "FP32",
            "parameters": {"binary_data_size": len(data)},
        }
        head = _compact(
            {"inputs": [tensor], "parameters": {"binary_data_output": True}}
        )
        headers = _binary(head)
        return Request(
            path.format(model=asked.model), headers, head + data, "v2 binary"
        )

    return ask


def v2_grpc(model: str = "", name: str = "") -> Wire:
    """Make requests of the Open Inference Protocol's gRPC, with raw floats.

    Args:
        model: the model's name on the server; empty takes its own.
        name: see ``v2_json``.
    """

    def ask(asked: Asked) -> Request:
        message = ModelInferRequest(
            model_name=model or asked.model,
            inputs=[
                ModelInferRequest.InferInputTensor(
                    name=name or asked.input,
                    datatype="FP32",
                    shape=asked.pixels.shape,
                )
            ],
            raw_input_contents=[asked.pixels.astype("<f4").tobytes()],
        ).SerializeToString()
        # Each message follows a byte that says "not compressed", and its length.
        body = struct.pack(">BI", 0, len(message)) + message
        headers = {"content-type": "application/grpc", "te": "trailers"}
        return Request(GRPC_INFER, headers, body, "v2 gRPC", is_grpc=True)

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
        return Request(path, _binary(head), head + data, "v2 binary")

    return ask


def scores(reply: bytes) -> NDArray[np.float32]:
    """Read the numbers of a reply of any protocol.

    Returns:
        All numbers in one row, ``(N * classes,)`` float32.

    Raises:
        BenchError: the reply holds no numbers.
    """
    try:
        # Binary numbers follow the JSON of their answer. Latin-1 has a character for
        # each byte.
        content, end = _DECODER.raw_decode(reply.decode("latin-1").lstrip())
        outputs = content.get("outputs") if isinstance(content, dict) else None
        if outputs and "data" not in outputs[0]:
            size = outputs[0]["parameters"]["binary_data_size"]
            return np.frombuffer(reply[end : end + size], "<f4")
        if isinstance(content, dict):
            content = _told(content)
        return np.asarray(content, np.float32).ravel()
    except (LookupError, TypeError, ValueError) as ex:
        text = reply[:200].decode(errors="replace")
        raise BenchError(f"the answer holds no scores: {text!r}") from ex


def grpc_scores(reply: bytes) -> NDArray[np.float32]:
    """Read the raw floats of a ``ModelInferResponse``; see ``scores``."""
    try:
        message = ModelInferResponse.FromString(reply)
        return np.frombuffer(message.raw_output_contents[0], "<f4")
    except (DecodeError, IndexError, ValueError) as ex:
        raise BenchError(f"the answer holds no scores: {reply[:200]!r}") from ex


def _told(content: dict[str, Any]) -> Any:
    if "outputs" in content:
        return content["outputs"][0]["data"]
    return content["predictions"]


def _binary(head: bytes) -> dict[str, str]:
    return {
        "Content-Type": "application/octet-stream",
        "Inference-Header-Content-Length": str(len(head)),
    }


def _compact(content: object) -> bytes:
    return json.dumps(content, separators=(",", ":")).encode()


def _base64(picture: bytes) -> str:
    return base64.b64encode(picture).decode()


def _kind(picture: bytes) -> str:
    return "png" if picture.startswith(b"\x89PNG") else "jpeg"
