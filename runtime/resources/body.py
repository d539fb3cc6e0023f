"""Reading a request's body, under limits."""

from __future__ import annotations

from typing import cast

import falcon
from falcon.media import MultipartFormHandler
from falcon.media.multipart import MultipartForm

from bundle.archive import Readable
from runtime.errors import InvalidInput, TooLarge

MULTIPART = falcon.MEDIA_MULTIPART


def read_form(req: falcon.Request, max_bytes: int, *required: str) -> dict[str, bytes]:
    """Read a multipart form whole.

    Args:
        req: the request.
        max_bytes: of its body.
        required: fields that must be there; the sentence of the error names them.

    Returns:
        Each field's content.

    Raises:
        InvalidInput: a field is missing or stands there twice.
        TooLarge: the body is above its limit.
    """
    if not (req.content_type or "").lower().startswith(MULTIPART):
        raise falcon.HTTPUnsupportedMediaType(
            description=f"send {MULTIPART} with the fields {', '.join(required)}"
        )
    if req.content_length is None:
        raise InvalidInput("the request has no body, or does not say its length")
    if req.content_length > max_bytes:
        raise TooLarge(f"the body is larger than {max_bytes} bytes")
    fields: dict[str, bytes] = {}
    for part in cast("MultipartForm", req.get_media()):
        if part.name is None:
            raise InvalidInput("a part of the form has no name")
        if part.name in fields:
            raise InvalidInput(f"the field {part.name!r} is there twice; send one")
        fields[part.name] = part.get_data()
    for name in required:
        if not fields.get(name):
            raise InvalidInput(
                f"the field {name!r} is missing; send {' and '.join(required)}"
            )
    return fields


def form_handler(max_bytes: int) -> MultipartFormHandler:
    """Falcon's own parser, with its bounds on parts and headers."""
    handler = MultipartFormHandler()
    handler.parse_options.max_body_part_buffer_size = max_bytes
    return handler


def read_stream(req: falcon.Request) -> Readable:
    """The body as it comes, for what is not held in memory.

    Without a Content-Length a server ends ``stream`` where the body ends, and Falcon's
    bounded stream would be empty.
    """
    stream = req.stream if req.content_length is None else req.bounded_stream
    return cast("Readable", stream)
