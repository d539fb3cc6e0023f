"""The OpenAPI document: each route, with what it takes and answers."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from http import HTTPStatus
from typing import Any

from bundle import __version__
from runtime.access.gate import Access, Gate
from runtime.http.errors import STATUS, ErrorBody
from runtime.http.openapi import docstring
from runtime.http.openapi.inferences import INFERENCES
from runtime.http.openapi.models import MODELS
from runtime.http.openapi.operation import Body, Content, Operation, Parameter, json_of
from runtime.http.openapi.parameters import (
    AUTHENTICATE,
    NO_SNIFF,
    PLACES,
    REPLY_ID,
    REQUEST_ID,
    RETRY_AFTER,
    TIMEOUT,
)
from runtime.http.openapi.predictions import PREDICTIONS
from runtime.http.openapi.schemas import Or, Schemas
from runtime.http.openapi.service import SERVICE
from runtime.http.openapi.serving import SERVING
from runtime.http.routes import ROUTES, Route

# The groups of routes, in the order of the page.
GROUPS: Mapping[str, Mapping[str, Operation]] = {
    "Predictions": PREDICTIONS,
    "Open Inference Protocol": INFERENCES,
    "TensorFlow Serving": SERVING,
    "Models": MODELS,
    "The service": SERVICE,
}

_TEXT = (
    "Each route of GET also takes HEAD, whose reply has no body. Each error is a JSON"
    " object with one sentence. Unknown parameters of a query are passed over."
)

# The web framework's own refusals, which are no errors of the service.
_FRAMEWORK = {
    404: "There is no such route or file.",
    415: "The route takes another content type or encoding.",
    416: "The file has no such part.",
}
_HEADERS = {401: AUTHENTICATE, 429: RETRY_AFTER, 503: RETRY_AFTER}


def make_document(
    gate: Gate, base: str = "", routes: Iterable[Route] = ROUTES
) -> dict[str, Any]:
    """Make the OpenAPI document of the routes.

    Args:
        gate: the gate, which knows the tokens that the service asks for.
        base: config.json's ``base``.
        routes: the table.

    Raises:
        LookupError: a route is described nowhere.
    """
    schemas = Schemas()
    paths: dict[str, dict[str, Any]] = {}
    for route in routes:
        group, operation = describe(route)
        made = _operation(route, operation, schemas) | {"tags": [group]}
        if route.access is Access.READ and gate.asks_for_reads:
            made["security"] = [{"reader": []}]
        if route.access is Access.WRITE and gate.asks_for_writes:
            made["security"] = [{"writer": []}]
        paths.setdefault(route.shown, {})[route.method.lower()] = made
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "tfaas-onnx",
            "version": __version__,
            "description": _TEXT,
        },
        "servers": [{"url": base or "/"}],
        "tags": [{"name": group} for group in GROUPS],
        "paths": paths,
        "components": {
            "schemas": schemas.components,
            "responses": {
                f"Error{status}": _refusal(status, schemas) for status in _STATUSES
            },
            "parameters": {
                parameter.name: _parameter("header", parameter)
                for parameter in (REQUEST_ID, TIMEOUT)
            },
            "securitySchemes": {
                "reader": _scheme(gate, "A token for predictions or for writes."),
                "writer": _scheme(gate, "A token for writes."),
            },
        },
    }


def describe(route: Route) -> tuple[str, Operation]:
    """Return the group of a route, and what it takes and answers.

    Raises:
        LookupError: it is described nowhere.
    """
    key = f"{route.method} {route.shown}"
    for group, operations in GROUPS.items():
        if key in operations:
            return group, operations[key]
    raise LookupError(f"{key} is described nowhere in runtime/http/openapi/")


def _statuses_of_all(route: Route, operation: Operation) -> set[int]:
    """Return the statuses of the errors that any route of this kind may answer."""
    statuses = {400, 500, 503}
    if route.access is not Access.OPEN:
        statuses.add(401)
    if route.access is Access.WRITE:
        statuses.add(403)
    if operation.body:
        statuses |= {408, 413}
    if not route.is_quiet:
        statuses.add(429)
    return statuses


def _operation(route: Route, operation: Operation, schemas: Schemas) -> dict[str, Any]:
    refusals = _statuses_of_all(route, operation) | {*operation.refusals}
    places = [
        _parameter("path", PLACES[name], operation.places.get(name))
        for name in re.findall(r"{(\w+)}", route.shown)
    ]
    made: dict[str, Any] = {
        "operationId": "_".join(
            [route.method.lower(), *re.findall(r"\w+", route.shown)]
        ),
        "summary": f"{route.sentence[0].upper()}{route.sentence[1:]}.",
        "parameters": [
            *places,
            *(_parameter("query", parameter) for parameter in operation.query),
            *(_parameter("header", parameter) for parameter in operation.headers),
            *(
                {"$ref": f"#/components/parameters/{parameter.name}"}
                for parameter in (REQUEST_ID, TIMEOUT)
            ),
        ],
        "responses": {
            str(status): _reply(status, operation, status in refusals, schemas)
            if status in operation.replies
            else {"$ref": f"#/components/responses/Error{status}"}
            for status in sorted(refusals | {*operation.replies})
        },
    }
    if operation.text:
        made["description"] = operation.text
    if operation.body:
        made["requestBody"] = _body(operation.body, schemas)
    return made


def _parameter(place: str, parameter: Parameter, example: Any = None) -> dict[str, Any]:
    made: dict[str, Any] = {
        "name": parameter.name,
        "in": place,
        "description": parameter.sentence,
        "schema": parameter.schema,
    }
    if place == "path":
        made["required"] = True
        made["example"] = parameter.example if example is None else example
    return made


def _body(body: Body, schemas: Schemas) -> dict[str, Any]:
    content = _content(body.content, schemas)
    for kind, examples in body.examples.items():
        content[kind]["examples"] = {
            name: {"value": value} for name, value in examples.items()
        }
    return {"required": body.is_required, "content": content}


def _reply(
    status: int, operation: Operation, is_refusal: bool, schemas: Schemas
) -> dict[str, Any]:
    """Describe a reply of the route's own, whose status may also be an error's."""
    content = operation.replies[status]
    if content and is_refusal:
        content = {kind: Or(of, ErrorBody) for kind, of in content.items()}
    made: dict[str, Any] = {
        "description": HTTPStatus(status).phrase,
        "headers": _headers(*(operation.sends if status < 300 else ())),
    }
    if content:
        made["content"] = _content(content, schemas)
    return made


def _refusal(status: int, schemas: Schemas) -> dict[str, Any]:
    reasons = [
        docstring.summary(kind).replace("``", "`")
        for kind, text in STATUS.items()
        if text.startswith(str(status))
    ]
    if status in _FRAMEWORK:
        reasons.append(_FRAMEWORK[status])
    more = [_HEADERS[status]] if status in _HEADERS else []
    return {
        "description": " Or: ".join(reasons),
        "headers": _headers(*more),
        "content": _content(json_of(ErrorBody), schemas),
    }


def _content(content: Content, schemas: Schemas) -> dict[str, Any]:
    # A body that is bytes has no JSON, so a schema could only tell that it has none.
    return {
        kind: {} if of is bytes else {"schema": schemas.of(of)}
        for kind, of in content.items()
    }


def _headers(*more: Parameter) -> dict[str, Any]:
    return {
        header.name: {
            "description": header.sentence,
            "required": header.is_always,
            "schema": header.schema,
        }
        for header in (REPLY_ID, NO_SNIFF, *more)
    }


_STATUSES = sorted({int(text[:3]) for text in STATUS.values()} | _FRAMEWORK.keys())


def _scheme(gate: Gate, sentence: str) -> dict[str, Any]:
    if gate.header.lower() == "authorization":
        return {"type": "http", "scheme": "bearer", "description": sentence}
    return {
        "type": "apiKey",
        "in": "header",
        "name": gate.header,
        "description": f"{sentence} It may stand behind the word Bearer.",
    }
