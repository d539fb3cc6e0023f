"""The requests whose replies each released version recorded, with their comparison."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import numpy as np

from runtime.wire import tfaas_pb2
from tests.clients import LocalClient
from tests.forms import File, form, png

# The middle stripe is white: the model's class "middle".
PICTURE = np.full((8, 8), 20, np.uint8)
PICTURE[:, 2:5] = 220
PIXELS = PICTURE[None, :, :, None].tolist()
ROW = [0.5, -0.25]


def requests() -> Iterator[tuple[str, str, str, dict[str, Any]]]:
    """Give each request: its name, method, path, and what else it sends."""
    body, headers = form(image=File("x.png", png(PICTURE)), model="stripes")
    row = {"keys": ["pt", "eta"], "values": ROW, "model": "jets"}
    message = tfaas_pb2.Row(key=row["keys"], value=ROW, model="jets")
    tensor = {
        "name": "keras_tensor",
        "shape": [1, 8, 8, 1],
        "datatype": "FP32",
        "data": PICTURE.ravel().tolist(),
    }
    yield "models", "GET", "/models", {}
    yield "model", "GET", "/models/stripes", {}
    yield "version", "GET", "/models/stripes/2", {}
    yield "labels", "GET", "/models/stripes/labels", {}
    yield "params", "GET", "/params/stripes", {}
    yield "status", "GET", "/status", {}
    yield "ready", "GET", "/readyz", {}
    yield "unknown", "GET", "/params/nosuch", {}
    yield "image", "POST", "/predict/image", {"body": body, "headers": headers}
    yield "top", "POST", "/image?top=2", {"body": body, "headers": headers}
    yield "row", "POST", "/json", {"body": json.dumps(row)}
    inputs = {"inputs": {tensor["name"]: PIXELS}, "model": "stripes"}
    yield "inputs", "POST", "/predict/json", {"body": json.dumps(inputs)}
    yield "proto", "POST", "/proto", {"body": message.SerializeToString()}
    yield "v2", "GET", "/v2/models/stripes", {}
    inference = json.dumps({"inputs": [tensor]})
    yield "infer", "POST", "/v2/models/stripes/infer", {"body": inference}
    yield "v1", "GET", "/v1/models/stripes", {}
    instances = json.dumps({"instances": PIXELS})
    yield "tfs", "POST", "/v1/models/stripes:predict", {"body": instances}


def ask_all(client: LocalClient) -> dict[str, dict[str, Any]]:
    """Send each request; return status, type and content of its reply, by its name."""
    replies = {}
    for name, method, path, more in requests():
        reply = client.simulate_request(method, path, **more)
        kind = reply.headers["Content-Type"]
        content = reply.json if "json" in kind else reply.content.hex()
        replies[name] = {"status": reply.status_code, "type": kind, "content": content}
    return replies


def lost(before: Any, now: Any, place: str = "") -> Iterator[str]:
    """Name what a client of the former version would miss in a reply.

    A key more is no loss, and neither is another number, text or length of a list. A
    value that was null says nothing of its type.
    """
    match before, now:
        case None, _:
            return
        case dict(), dict():
            for key, value in before.items():
                if key in now:
                    yield from lost(value, now[key], f"{place}.{key}")
                else:
                    yield f"{place}.{key} is gone"
        case list(), list():
            if before and now:
                yield from lost(before[0], now[0], f"{place}[0]")
        case _ if _kind(before) != _kind(now):
            yield f"{place} is {_kind(now)}, and was {_kind(before)}"


def _kind(value: object) -> str:
    if isinstance(value, int | float) and not isinstance(value, bool):
        return "number"
    return type(value).__name__
