"""The routes of predictions, as TFaaS has them."""

from __future__ import annotations

import falcon

from runtime.feedback.feedback import Kept
from runtime.http.openapi.operation import Body, Operation, Parameter, json_of
from runtime.http.openapi.parameters import BACKEND, LABEL, VERSION, VERSION_HEADER
from runtime.http.openapi.schemas import Or
from runtime.http.query import LABELS
from runtime.http.resources.explain import ExplainedImage
from runtime.http.resources.feedback import FeedbackForm, FeedbackRow
from runtime.http.resources.predict import (
    PROTOBUF,
    ImageForm,
    ImageLabels,
    JsonOutputs,
    JsonRequest,
)

_MODEL = Parameter(
    "model", "The model's name, in place of the body's.", {"type": "string"}
)
_TOP = Parameter(
    "top",
    "The number of labels that are answered, in place of the form's.",
    {"type": "integer", "minimum": 1, "maximum": 10**18 - 1},
)
_WHICH = (_MODEL, VERSION, LABEL)
_SENDS = (BACKEND, VERSION_HEADER)
_REFUSALS = (404, 415, 504)

# The answer of a model to an item may have any depth; most models answer a list.
_NUMBERS = {
    "description": "A number for each class; a list of such lists to several items.",
    "anyOf": [{"type": kind} for kind in ("array", "number", "boolean", "string")],
}
_NAMED = ImageLabels | list[ImageLabels]

_IMAGE_BODY = {falcon.MEDIA_MULTIPART: ImageForm}
_JSON_BODY = json_of(JsonRequest)
_PROTO_BODY = {PROTOBUF: bytes}
_JSON_EXAMPLES = {
    falcon.MEDIA_JSON: {
        "row": {"values": [0, 64, 128, 255], "model": "linear"},
        "rows": {"values": [[0, 64, 128, 255], [1, 2, 3, 4]], "model": "linear"},
        "inputs": {
            "inputs": {"pixels": [[[[0], [64]], [[128], [255]]]]},
            "model": "linear",
        },
    }
}

_IMAGE = Operation(
    replies={200: {falcon.MEDIA_JSON: Or(_NUMBERS, _NAMED), LABELS: _NAMED}},
    refusals=_REFUSALS,
    body=Body(_IMAGE_BODY),
    query=(*_WHICH, _TOP),
    sends=_SENDS,
    text=f"With `top`, with `Accept: {LABELS}`, and from a model that answers labels,"
    " the JSON has the best labels of each picture. Several pictures are answered with"
    " a list.",
)
_JSON = Operation(
    replies={200: json_of(Or(_NUMBERS, JsonOutputs))},
    refusals=_REFUSALS,
    body=Body(_JSON_BODY, _JSON_EXAMPLES),
    query=_WHICH,
    sends=_SENDS,
    text="The content type does not matter. `inputs` are answered with all outputs by"
    " name.",
)
_PROTO = Operation(
    replies={200: {PROTOBUF: bytes}},
    refusals=_REFUSALS,
    body=Body(_PROTO_BODY),
    query=_WHICH,
    sends=_SENDS,
    text="The messages are `Row` and `Predictions` of TFaaS's tfaas.proto. The content"
    " type does not matter.",
)
_ANY = Operation(
    replies={
        200: {
            falcon.MEDIA_JSON: Or(_NUMBERS, _NAMED, JsonOutputs),
            LABELS: _NAMED,
            PROTOBUF: bytes,
        }
    },
    refusals=_REFUSALS,
    body=Body({**_IMAGE_BODY, **_JSON_BODY, **_PROTO_BODY}, _JSON_EXAMPLES),
    query=(*_WHICH, _TOP),
    sends=_SENDS,
)

_EXPLAIN = Operation(
    replies={200: json_of(ExplainedImage)},
    refusals=_REFUSALS,
    body=Body(_IMAGE_BODY),
    query=(*_WHICH, _TOP),
    sends=_SENDS,
    text="The form holds one picture.",
)

_FEEDBACK = Operation(
    replies={201: json_of(Kept)},
    refusals=(404, 409, 415),
    body=Body({falcon.MEDIA_MULTIPART: FeedbackForm, **json_of(FeedbackRow)}),
    text="A form has one picture; the same picture under another label moves there. Any"
    " other body is JSON with one row, whose keys are the model's features. 403 also"
    " says that config.json has no `feedbackDir`, and 409 that the folder is full.",
)

PREDICTIONS = {
    "POST /predict": _ANY,
    "POST /predict/image": _IMAGE,
    "POST /image": _IMAGE,
    "POST /explain/image": _EXPLAIN,
    "POST /feedback": _FEEDBACK,
    "POST /predict/json": _JSON,
    "POST /json": _JSON,
    "POST /predict/proto": _PROTO,
    "POST /proto": _PROTO,
}
