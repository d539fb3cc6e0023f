"""The routes of the service itself, and of pages for a browser."""

from __future__ import annotations

import falcon

from runtime.http.openapi.operation import Operation, Parameter, json_of
from runtime.http.openapi.parameters import ETAG, UNLESS
from runtime.http.page.docs import TYPES as DOCS_TYPES
from runtime.http.page.netron_package import TYPES as NETRON_TYPES
from runtime.http.page.page import TYPES as PAGE_TYPES
from runtime.http.resources.health import AliveBody, NotReadyBody, ReadyBody
from runtime.http.resources.live import LiveFigures
from runtime.http.resources.status import ServiceStatus

_ALIVE = Operation(replies={200: json_of(AliveBody)})
_PAGE = {falcon.MEDIA_HTML: str}
_FILE = {"*/*": bytes}
_FILES = Operation(
    replies={200: _FILE, 206: _FILE, 304: None},
    refusals=(404, 416),
    headers=(
        Parameter("Range", "The part of the file that is wanted.", {"type": "string"}),
    ),
    places={"file": "a.txt"},
    text="The folders `js`, `css` and `images` are served if they were there at the"
    " start.",
)

SERVICE = {
    "GET /status": Operation(replies={200: json_of(ServiceStatus)}),
    "GET /metrics": Operation(
        replies={200: {"text/plain": str, "application/openmetrics-text": str}}
    ),
    "GET /livez": _ALIVE,
    "GET /healthz": _ALIVE,
    "GET /readyz": Operation(
        replies={200: json_of(ReadyBody), 503: json_of(NotReadyBody)}
    ),
    "GET /live": Operation(
        replies={200: json_of(LiveFigures)},
        query=(
            Parameter(
                "model",
                "A model that shall be among the models, however little it is used.",
                {"type": "string"},
                "linear",
            ),
        ),
        text="The answer has less than 4 kB. A page may ask each second: one reading"
        " of the metrics answers all who ask within 0.9 s.",
    ),
    "GET /": Operation(
        replies={200: _PAGE, 304: None}, headers=(UNLESS,), sends=(ETAG,)
    ),
    "GET /page/{file}": Operation(
        replies={200: dict.fromkeys(PAGE_TYPES.values(), str), 304: None},
        refusals=(404,),
        headers=(UNLESS,),
        sends=(ETAG,),
        places={"file": "main.js"},
    ),
    "GET /docs": Operation(replies={200: _PAGE}),
    "GET /docs/{file}": Operation(
        replies={200: dict.fromkeys(DOCS_TYPES.values(), str), 304: None},
        refusals=(404,),
        headers=(UNLESS,),
        sends=(ETAG,),
        places={"file": "start.js"},
    ),
    "GET /openapi.json": Operation(
        replies={200: json_of(dict[str, object]), 304: None},
        headers=(UNLESS,),
        sends=(ETAG,),
    ),
    "GET /netron": Operation(
        replies={200: _PAGE, 301: None},
        refusals=(404,),
        text="The extra `netron` has the viewer. 301 adds a slash to the path.",
    ),
    "GET /netron/{file}": Operation(
        replies={200: dict.fromkeys(NETRON_TYPES.values(), bytes)},
        refusals=(404,),
        places={"file": "index.js"},
    ),
    "GET /favicon.ico": Operation(replies={200: {"image/x-icon": bytes}}),
    "GET /js/{file}": _FILES,
    "GET /css/{file}": _FILES,
    "GET /images/{file}": _FILES,
}
