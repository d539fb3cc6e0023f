"""The routes of the Open Inference Protocol v2."""

from __future__ import annotations

import falcon

from runtime.http.openapi.operation import Body, Operation, Parameter, json_of
from runtime.http.openapi.parameters import BACKEND, VERSION_HEADER
from runtime.http.resources.v2_infer import BINARY
from runtime.wire.oip import bodies
from runtime.wire.oip.request import HEADER

_INPUT = {"name": "pixels", "shape": [1, 2, 2, 1], "datatype": "FP32"}
_VALUES = {**_INPUT, "data": [0, 64, 128, 255]}
_CLASSES = {"name": "scores", "parameters": {"classification": 2}}
_LENGTH = Parameter(
    HEADER,
    "The bytes of the JSON, behind which the binary tensors stand.",
    {"type": "integer", "minimum": 0},
)
_INFER = Operation(
    replies={200: {falcon.MEDIA_JSON: bodies.InferenceReply, BINARY: bytes}},
    refusals=(404, 415, 504),
    body=Body(
        {falcon.MEDIA_JSON: bodies.InferenceRequest, BINARY: bytes},
        {
            falcon.MEDIA_JSON: {
                "numbers": {"id": "7", "inputs": [_VALUES]},
                "classes": {"inputs": [_VALUES], "outputs": [_CLASSES]},
            }
        },
    ),
    headers=(
        _LENGTH,
        Parameter(
            "Content-Encoding",
            "The encoding of the body.",
            {"enum": ["gzip", "deflate", "identity"]},
        ),
    ),
    sends=(BACKEND, VERSION_HEADER, _LENGTH),
    text=f"The content type does not matter; the header {HEADER} tells whether binary"
    " tensors stand behind the JSON.",
)
_METADATA = Operation(replies={200: json_of(bodies.ModelMetadata)}, refusals=(404,))
_CONFIG = Operation(replies={200: json_of(bodies.ModelConfig)}, refusals=(404,))
_READY = Operation(
    replies={
        200: json_of(bodies.ModelReady),
        503: json_of(bodies.ModelReady),
    },
    refusals=(404,),
)
_STATISTICS = Operation(replies={200: json_of(bodies.Statistics)}, refusals=(404,))
_NOTHING = Body(
    json_of(bodies.LoadRequest),
    {falcon.MEDIA_JSON: {"nothing": {}}},
    is_required=False,
)
_INDEX = Operation(
    replies={200: json_of(list[bodies.IndexEntry])},
    refusals=(415,),
    body=Body(
        json_of(bodies.IndexRequest),
        {falcon.MEDIA_JSON: {"ready": {"ready": True}}},
        is_required=False,
    ),
)
_NAMED = Operation(replies={}, refusals=(501,))
_MODEL, _VERSION = "/v2/models/{name}", "/v2/models/{name}/versions/{version}"

INFERENCES = {
    f"POST {_MODEL}/infer": _INFER,
    f"POST {_VERSION}/infer": _INFER,
    "GET /v2": Operation(replies={200: json_of(bodies.ServerMetadata)}),
    "GET /v2/health/live": Operation(replies={200: json_of(bodies.ServerLive)}),
    "GET /v2/health/ready": Operation(
        replies={
            200: json_of(bodies.ServerReady),
            503: json_of(bodies.ServerReady),
        }
    ),
    f"GET {_MODEL}": _METADATA,
    f"GET {_VERSION}": _METADATA,
    f"GET {_MODEL}/ready": _READY,
    f"GET {_VERSION}/ready": _READY,
    f"GET {_MODEL}/config": _CONFIG,
    f"GET {_VERSION}/config": _CONFIG,
    "GET /v2/models/stats": Operation(replies={200: json_of(bodies.Statistics)}),
    f"GET {_MODEL}/stats": _STATISTICS,
    f"GET {_VERSION}/stats": _STATISTICS,
    "POST /v2/repository/index": _INDEX,
    "POST /v2/repository/{repository}/index": _INDEX,
    "POST /v2/repository/models/{name}/load": Operation(
        replies={200: None}, refusals=(404, 415, 422, 501), body=_NOTHING
    ),
    "POST /v2/repository/models/{name}/unload": Operation(
        replies={200: None}, refusals=(404, 415), body=_NOTHING
    ),
    "POST /v2/repository/{repository}/models/{name}/load": _NAMED,
    "POST /v2/repository/{repository}/models/{name}/unload": _NAMED,
}
