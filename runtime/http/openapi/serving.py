"""The routes of TensorFlow Serving's API v1."""

from __future__ import annotations

import dataclasses
from typing import Any

import falcon

from runtime.http.openapi.operation import Body, Operation, Parameter, json_of
from runtime.http.openapi.parameters import BACKEND, VERSION_HEADER
from runtime.http.openapi.schemas import Or
from runtime.wire.tfs import bodies

_ITEM = [[[0], [64]], [[128], [255]]]
_EXAMPLE = {"examples": [{"pixels": [0, 64, 128, 255]}]}
_ENCODING = Parameter(
    "Content-Encoding",
    "The encoding of the body.",
    {"enum": ["gzip", "deflate", "identity"]},
)


def _prediction(body: object, examples: dict[str, Any], reply: object) -> Operation:
    return Operation(
        replies={200: json_of(reply)},
        refusals=(404, 415, 504),
        body=Body(json_of(body), {falcon.MEDIA_JSON: examples}),
        headers=(_ENCODING,),
        sends=(BACKEND, VERSION_HEADER),
        text="Numbers of an answer may be NaN, Infinity and -Infinity, as TensorFlow"
        " Serving writes them.",
    )


_METHODS = {
    "POST": {
        ":predict": _prediction(
            bodies.PredictBody,
            {
                "rows": {"instances": [_ITEM]},
                "columns": {"inputs": {"pixels": [_ITEM]}},
            },
            Or(bodies.RowPredictions, bodies.ColumnPredictions),
        ),
        ":classify": _prediction(
            bodies.ExamplesBody, {"example": _EXAMPLE}, bodies.Results
        ),
        # The example model answers three numbers, and so has no regression.
        ":regress": _prediction(bodies.ExamplesBody, {}, bodies.Results),
    },
    "GET": {
        "": Operation(replies={200: json_of(bodies.VersionStates)}, refusals=(404,)),
        "/metadata": Operation(
            replies={200: json_of(bodies.SignatureMetadata)}, refusals=(404,)
        ),
    },
}


def _of_label(operation: Operation) -> Operation:
    """Change an operation for a label: TensorFlow Serving answers no 404 there."""
    refusals = tuple(status for status in operation.refusals if status != 404)
    return dataclasses.replace(operation, refusals=refusals)


SERVING = {"GET /v1/models": Operation(replies={})}
for _method, _operations in _METHODS.items():
    for _tail, _one in _operations.items():
        _model = f"{_method} /v1/models/{{name}}"
        SERVING[f"{_model}{_tail}"] = _one
        SERVING[f"{_model}/versions/{{version}}{_tail}"] = _one
        SERVING[f"{_model}/labels/{{label}}{_tail}"] = _of_label(_one)
