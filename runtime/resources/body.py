"""Reading a request's body, under limits."""

from __future__ import annotations

import functools
from collections.abc import Iterator
from typing import Any, cast

import falcon
import orjson
from falcon.media import MultipartFormHandler

from bundle.archive import DEFAULT_LIMITS, Readable
from bundle.errors import TooLarge
from runtime.bundle_form import Field
from runtime.errors import InvalidInput


def is_multipart(req: falcon.Request) -> bool:
    """Whether the body is a multipart form, in whatever spelling it says so."""
    return (req.content_type or "").lower().startswith(falcon.MEDIA_MULTIPART)


def read_form(req: falcon.Request, max_bytes: int, *required: str) -> dict[str, bytes]:
    """Read a multipart form whole.

    Args:
        req: the request.
        max_bytes: of its body.
        required: fields that must be there; the sentence of the error names them.

    Returns:
        Each field's content.

    Raises:
        InvalidInput: it is no form, or a field is missing or stands there twice.
        TooLarge: the body is above its limit.
    """
    if not is_multipart(req):
        raise falcon.HTTPUnsupportedMediaType(
            description=f"send {falcon.MEDIA_MULTIPART} with the fields"
            f" {', '.join(required)}"
        )
    if req.content_length is None:
        raise InvalidInput("the request has no body, or does not say its length")
    if req.content_length > max_bytes:
        raise TooLarge(f"the body is larger than {max_bytes} bytes")
    try:
        fields = _read_parts(req, max_bytes)
    except falcon.HTTPError as ex:
        raise InvalidInput(
            f"the multipart form cannot be read ({ex.description}); send it as curl -F"
            " does"
        ) from ex
    except ValueError as ex:  # a name that is no text
        raise InvalidInput(
            "the multipart form cannot be read; send it as curl -F does"
        ) from ex
    for name in required:
        if not fields.get(name):
            problem = "is empty" if name in fields else "is missing"
            raise InvalidInput(
                f"the field {name!r} {problem}; send {' and '.join(required)}"
            )
    return fields


def text_field(form: dict[str, bytes], name: str) -> str:
    """A field that is text.

    Raises:
        InvalidInput: it is not.
    """
    try:
        return form[name].decode()
    except UnicodeDecodeError:
        raise InvalidInput(f"the field {name!r} is not a text in UTF-8") from None


def _read_parts(req: falcon.Request, max_bytes: int) -> dict[str, bytes]:
    fields: dict[str, bytes] = {}
    # The handler itself: Falcon looks one up by the media type as it is spelt, and
    # Multipart/Form-Data is the same.
    form = _form_handler(max_bytes).deserialize(
        req.bounded_stream, req.content_type, req.content_length
    )
    for part in form:
        if part.name is None:
            raise InvalidInput("a part of the form has no name")
        if part.name in fields:
            raise InvalidInput(
                f"the field {part.name[:128]!r} is there twice; send one"
            )
        fields[part.name] = part.get_data()
    return fields


@functools.cache
def _form_handler(max_bytes: int) -> MultipartFormHandler:
    """Falcon's own parser, with its bounds on parts and headers."""
    handler = MultipartFormHandler()
    handler.parse_options.max_body_part_buffer_size = max_bytes
    return handler


def stream_form(req: falcon.Request) -> Iterator[Field]:
    """A multipart form's fields, each to be read before the next; none is kept.

    Raises:
        InvalidInput: it is no form.
    """
    handler = MultipartFormHandler()
    handler.parse_options.max_body_part_count = DEFAULT_LIMITS.members
    length = _UNKNOWN if req.content_length is None else req.content_length
    try:
        stream = req.stream if req.content_length is None else req.bounded_stream
        for part in handler.deserialize(stream, req.content_type, length):
            if part.name is None:
                raise InvalidInput("a part of the form has no name")
            yield Field(part.name, part.filename, cast("Readable", part.stream))
    except falcon.HTTPError as ex:
        raise InvalidInput(
            f"the multipart form cannot be read ({ex.description}); send it as curl -F"
            " does"
        ) from ex
    except ValueError as ex:  # a name that is no text
        raise InvalidInput(
            "the multipart form cannot be read; send it as curl -F does"
        ) from ex


# Falcon's parser wants a length; it ends where the stream does.
_UNKNOWN = 1 << 62


def read_json(req: falcon.Request, max_bytes: int) -> dict[str, Any]:
    """Read a body that is one JSON object, whatever its content type says.

    Raises:
        InvalidInput: it is none.
        TooLarge: the body is above its limit.
    """
    stream = read_stream(req)
    body = b""
    while len(body) <= max_bytes and (chunk := stream.read(max_bytes + 1 - len(body))):
        body += chunk
    if len(body) > max_bytes:
        raise TooLarge(f"the body is larger than {max_bytes} bytes")
    try:
        content = orjson.loads(body)
    except orjson.JSONDecodeError as ex:
        raise InvalidInput(f"the body is not JSON: {ex}") from ex
    if not isinstance(content, dict):
        raise InvalidInput("the body must be one JSON object")
    return content


def read_stream(req: falcon.Request) -> Readable:
    """The body as it comes, for what is not held in memory.

    Without a Content-Length a server ends ``stream`` where the body ends, and Falcon's
    bounded stream would be empty.
    """
    stream = req.stream if req.content_length is None else req.bounded_stream
    return cast("Readable", stream)
