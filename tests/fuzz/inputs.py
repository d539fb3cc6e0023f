"""Whole requests of every route are made here, and damaged at random."""

from __future__ import annotations

import base64
import gzip
import hashlib
import io
import json
import random
import zipfile
import zlib
from dataclasses import dataclass, field, replace
from pathlib import Path

import falcon.inspect
import numpy as np
from PIL import Image

from bundle import report
from runtime.wire.tfaas_pb2 import Row
from tests.examples import linear_onnx, tar_of, write_bundle, write_parity
from tests.forms import form
from tests.runtime.graphs import texts_and_flags, two_inputs

MODELS = {
    "linear": (None, ("zero", "one", "two")),
    "pair": (two_inputs(), ("zero", "one")),
    "texts": (texts_and_flags(), ("same",)),
}
FORMATS = ("PNG", "JPEG", "GIF", "BMP", "WEBP")
# These values take the place of the names in the braces of a route.
PLACES = {
    "name": "linear",
    "version": "1",
    "label": "canary",
    "file": "params.json",
    "repository": "ours",
}

# Parsers stumble over these texts.
TOKENS = (
    *(b"\0", b"\xff", b"%00", b"%2e%2e%2f", b"../", b"\r\n", b"\n", b'"', b"\\"),
    *(b"{", b"[", b"}", b"]", b"null", b"NaN", b"1e999", b"-1", b"0", b"9" * 30),
    *("é€😀".encode(), b"\xed\xa0\x80", b"--", b"=", b"&", b";", b"'", b"<script>"),
    *(b"\x7f\xff\xff\xff", b"\xff" * 8, b"[" * 2000, b"A" * 300, b"linear", b"$"),
)


@dataclass(frozen=True)
class Request:
    """One request, in its parts on the wire."""

    method: str
    path: bytes
    query: bytes = b""
    headers: dict[str, bytes] = field(default_factory=dict)
    body: bytes = b""


def routes_of(application: falcon.App) -> list[tuple[str, str]]:
    """Return the method and the template of each route of the application."""
    found = falcon.inspect.inspect_app(application).routes
    return [
        (method.method, route.path)
        for route in found
        for method in route.methods
        if not method.internal and method.method != "OPTIONS"
    ]


def write_store(models: Path) -> None:
    """Write one version of each of MODELS."""
    for name, (content, labels) in MODELS.items():
        folder = models / name / "1"
        params = {"img_channels": int(name == "linear")}
        write_bundle(
            folder, name=name, onnx_bytes=content, labels=labels, params=params
        )
        page = folder / report.PAGE
        page.parent.mkdir()
        page.write_text("<!doctype html><title>Report</title>")


def whole_requests(application: falcon.App, folder: Path) -> list[Request]:
    """Return a request to each route with a body that it takes, in each format.

    A new route gets an empty body, until it has a body of its own here.
    """
    bodies = _bodies(folder)
    requests = []
    for method, template in routes_of(application):
        path = template.replace(":path}", "}")
        for name, value in PLACES.items():
            path = path.replace(f"{{{name}}}", value)
        for body, headers in bodies.get((method, template), [(b"", {})]):
            kinds = {name: value.encode() for name, value in headers.items()}
            requests.append(Request(method, path.encode(), b"", kinds, body))
    return requests


def _bodies(folder: Path) -> dict[tuple[str, str], list[tuple[bytes, dict[str, str]]]]:
    images = [form(image=_image(kind), model="linear") for kind in FORMATS]
    row = {"keys": [], "values": [1, 2, 3, 4], "model": "linear"}
    rows = [
        row,
        {"name": "linear", "key": ["a"], "values": [1, 2, 3, 4]},
        {"inputs": {"a": [[1, 2]], "b": [[3, 4]]}, "model": "pair"},
        {"inputs": {"text": ["a"], "flag": [True]}, "model": "texts"},
        {"keys": ["flag", "text"], "values": [[True, None]], "model": "texts"},
    ]
    jsons = [_json(content) for content in rows]
    proto = (
        Row(value=[1, 2, 3, 4], model="linear").SerializeToString(),
        {"Content-Type": "application/protobuf"},
    )
    bundle = write_bundle(folder / "upload")
    files = {path.name: path.read_bytes() for path in bundle.iterdir()}
    plain, gzipped = tar_of(bundle, mode="w"), tar_of(bundle)
    gzipped_by = {"Content-Encoding": "gzip"}
    uploads = [
        (plain, {}),
        (gzipped, gzipped_by),
        (base64.b64encode(gzipped), {"Content-Encoding": "base64"}),
        (_zip_of(bundle), {"Content-Type": "application/zip"}),
        form(
            name="linear",
            params=files["params.json"],
            labels=files["labels.txt"],
            model=linear_onnx(),
        ),
        # These have no params.json, or no top folder.
        form(name="linear", model=linear_onnx()),
        (_zip_of(bundle, top="."), {}),
        (tar_of(bundle, top=".", mode="w"), {}),
        (_bare_tar(folder / "linear"), gzipped_by),
    ]
    inferences = _inferences()
    infer = "/v2/models/{name}/infer"
    repository = "/v2/repository/models/{name}"
    predictions = {
        ("POST", f"/v1/models/{{name}}{one}:{method}"): contents
        for method, contents in _predictions().items()
        for one in ("", "/versions/{version}", "/labels/{label}")
    }
    found = {
        **predictions,
        ("POST", infer): inferences,
        ("POST", infer.replace("/infer", "/versions/{version}/infer")): inferences,
        ("POST", "/v2/repository/index"): [_json({"ready": True})],
        ("POST", "/v2/repository/{repository}/index"): [_json({"ready": True})],
        ("POST", f"{repository}/load"): [_json({"parameters": {}}), (b"", {})],
        ("POST", f"{repository}/unload"): [
            _json({"parameters": {"unload_dependents": True}})
        ],
        ("POST", "/predict"): [*images, *jsons, proto],
        ("POST", "/explain/image"): images,
        ("POST", "/upload"): uploads,
        ("POST", "/params"): [
            _json({"name": "linear", "description": "new"}),
            _json({"name": "linear", "inputNode": "", "op": "", "timestamp": "now"}),
        ],
        ("PUT", "/models/{name}/labels/{label}"): [_json({"version": 1})],
        ("DELETE", "/delete"): [form(model="linear")],
    }
    for prefix in ("/predict/", "/"):
        found["POST", f"{prefix}image"] = images
        found["POST", f"{prefix}json"] = jsons
        found["POST", f"{prefix}proto"] = [proto]
    return found


def _inferences() -> list[tuple[bytes, dict[str, str]]]:
    """Return requests of the Open Inference Protocol v2 for the model ``linear``."""
    pixels = {"name": "pixels", "datatype": "FP32", "shape": [1, 2, 2, 1]}
    picture = _image("PNG")
    encoded = {"name": "pixels", "datatype": "BYTES", "shape": [1]}
    classes = [{"name": "scores", "parameters": {"classification": 2}}]
    plain = _json({"inputs": [{**pixels, "data": [1, 2, 3, 4]}], "outputs": classes})
    blobs = [
        (pixels, np.arange(4, dtype="<f4").tobytes()),
        (encoded, len(picture).to_bytes(4, "little") + picture),
    ]
    binary = [
        _packed({**one, "parameters": {"binary_data_size": len(blob)}}, blob)
        for one, blob in blobs
    ]
    in_json = {**encoded, "data": [base64.b64encode(picture).decode()]}
    packed = {"Content-Encoding": "gzip", "Accept-Encoding": "deflate"}
    return [
        plain,
        *binary,
        _json({"id": "7", "inputs": [in_json], "parameters": {"priority": 1}}),
        (blobs[0][1], {"Inference-Header-Content-Length": "0"}),
        (gzip.compress(plain[0]), packed),
        (zlib.compress(plain[0]), {"Content-Encoding": "deflate"}),
    ]


def _predictions() -> dict[str, list[tuple[bytes, dict[str, str]]]]:
    """Return requests of TensorFlow Serving for the model ``linear``, by method."""
    pixels = [[[1], [2]], [[3], [4]]]
    picture = {"b64": base64.b64encode(_image("PNG")).decode()}
    rows = _json({"signature_name": "serving_default", "instances": [pixels]})
    packed = {"Content-Encoding": "gzip", "Accept-Encoding": "gzip"}
    examples = [
        _json({"context": {}, "examples": [{"pixels": [1, 2, 3.0, 4]}]}),
        _json({"examples": [{"pixels": [1, 2, 3, 4]}, {"pixels": [5, 6, 7, 8]}]}),
        _json({"examples": [{"pixels": picture}]}),
    ]
    return {
        "predict": [
            rows,
            _json({"instances": [{"pixels": pixels}, {"pixels": pixels}]}),
            _json({"inputs": {"pixels": [pixels]}}),
            _json({"instances": [picture]}),
            _json({"inputs": picture}),
            _json({"inputs": [[[[float("nan")], [2]], [[float("inf")], [-1e9]]]]}),
            (gzip.compress(rows[0]), packed),
        ],
        "classify": examples,
        "regress": examples,
    }


def _packed(one: dict[str, object], blob: bytes) -> tuple[bytes, dict[str, str]]:
    content = {"inputs": [one], "parameters": {"binary_data_output": True}}
    head = json.dumps(content).encode()
    return head + blob, {"Inference-Header-Content-Length": str(len(head))}


def _image(kind: str) -> bytes:
    target = io.BytesIO()
    Image.fromarray(np.array([[1, 2], [3, 4]], np.uint8)).save(target, kind)
    return target.getvalue()


def _json(content: object) -> tuple[bytes, dict[str, str]]:
    return json.dumps(content).encode(), {"Content-Type": "application/json"}


QUERIES = (
    *(b"", b"model=linear", b"version=1", b"label=canary", b"format=tfaas"),
    *(b"top=2", b"model=pair&version=x", b"verbose", b"file=1", b"name=linear"),
)
HEADERS = (
    *("Content-Type", "Content-Encoding", "Accept", "X-Request-Id", "Range"),
    *("If-None-Match", "X-Forwarded-For", "Expect", "Cookie", "Traceparent"),
    *("Content-Length", "Transfer-Encoding", "Authorization", "Host"),
    *("Inference-Header-Content-Length", "Accept-Encoding"),
)


def _zip_of(bundle: Path, top: str = "linear") -> bytes:
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w") as archive:
        for path in bundle.iterdir():
            archive.write(path, f"{top}/{path.name}")
    return target.getvalue()


def _bare_tar(folder: Path) -> bytes:
    """Return a tar of a model without params.json, in a folder of versions."""
    (folder / "1").mkdir(parents=True)
    (folder / "1" / "model.onnx").write_bytes(linear_onnx())
    (folder / "config.pbtxt").write_text("max_batch_size: 4")
    return tar_of(folder)


def upload_of(folder: Path, dice: random.Random) -> Request:
    """Return an upload with one damaged file, and a proof of its model.onnx.

    The model has a name of its own, because damaged weights may answer infinity, which
    is the model's fault and a 500.
    """
    bundle = write_bundle(folder, name="damaged", onnx_bytes=linear_onnx())
    name = dice.choice(("model.onnx", "model.onnx", "params.json", "labels.txt"))
    content = mutated((bundle / name).read_bytes(), dice)
    (bundle / name).write_bytes(content)
    digest = hashlib.sha256((bundle / "model.onnx").read_bytes()).hexdigest()
    write_parity(bundle, sha256=digest)
    return Request("POST", b"/upload", body=tar_of(bundle, mode="w"))


def damaged(request: Request, dice: random.Random) -> Request:
    """Return the request with damage in one to three of its parts."""
    for _ in range(dice.choice((1, 1, 1, 2, 3))):
        part = dice.choice(
            ("body", "body", "body", "path", "query", "header", "method")
        )
        if part == "body":
            body = mutated(request.body, dice)
            request = replace(request, body=body)
        elif part == "path":
            request = replace(request, path=b"/" + mutated(request.path[1:], dice))
        elif part == "query":
            query = dice.choice(QUERIES)
            if dice.random() < 0.5:
                query = mutated(query, dice)
            request = replace(request, query=query)
        elif part == "header":
            name = dice.choice(HEADERS)
            value = mutated(request.headers.get(name, b""), dice)
            request = replace(request, headers={**request.headers, name: value})
        elif dice.random() < 0.1:
            method = dice.choice(("GET", "POST", "PUT", "DELETE", "PATCH", "OPTIONS"))
            request = replace(request, method=method)
    return request


def mutated(data: bytes, dice: random.Random) -> bytes:
    """Return the bytes with one to four changes at random places."""
    changed = bytearray(data)
    for _ in range(dice.choice((1, 1, 2, 4))):
        place = dice.randrange(len(changed) + 1)
        end = min(len(changed), place + dice.choice((1, 2, 8, 64)))
        match dice.randrange(6):
            case 0 if place < len(changed):
                changed[place] ^= 1 << dice.randrange(8)
            case 1:
                del changed[place:end]
            case 2:
                changed[place:place] = changed[place:end] * dice.choice((1, 3))
            case 3:
                changed[place:end] = dice.choice(TOKENS)
            case 4:
                del changed[place:]
            case _:
                changed[place:end] = dice.randbytes(end - place)
    return bytes(changed)
