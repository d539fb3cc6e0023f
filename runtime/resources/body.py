"""Reading a request's body, under limits."""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, cast

import falcon
import orjson
from falcon.media import MultipartFormHandler

from bundle.archive import DEFAULT_LIMITS, Readable
from bundle.errors import TooLarge
from runtime.bundle_form import Field
from runtime.errors import InvalidInput
from runtime.journey import Journey

_CHUNK = 1 << 18
# HTTP's word for a body that is not encoded.
_PLAIN = "identity"


@dataclass(frozen=True)
class Part:
    """One part of a multipart form.

    Attributes:
        filename: as the client sent it; empty if it sent none.
        data: its content.
    """

    filename: str
    data: bytes


def journey_of(req: falcon.Request) -> Journey:
    """The request's journey; a new one where no middleware began it."""
    if "journey" not in req.context:
        req.context.journey = Journey()
    return cast("Journey", req.context.journey)


def is_multipart(req: falcon.Request) -> bool:
    """Whether the body is a multipart form, in whatever spelling it says so."""
    return (req.content_type or "").lower().startswith(falcon.MEDIA_MULTIPART)


def read_form(req: falcon.Request, max_bytes: int, *required: str) -> dict[str, bytes]:
    """Read a multipart form whole; see ``read_parts`` and ``only_one_each``."""
    return only_one_each(read_parts(req, max_bytes, *required))


def read_parts(
    req: falcon.Request, max_bytes: int, *required: str
) -> dict[str, list[Part]]:
    """Read a multipart form whole, in which a field may stand several times.

    Args:
        req: the request.
        max_bytes: of its body.
        required: fields that must be there; the sentence of the error names them.

    Returns:
        Each field's parts, in their order.

    Raises:
        InvalidInput: it is no form, or a field is missing.
        TooLarge: the body is above its limit, or has too many parts.
    """
    if not is_multipart(req):
        raise falcon.HTTPUnsupportedMediaType(
            description=f"send {falcon.MEDIA_MULTIPART} with the fields"
            f" {', '.join(required)}"
        )
    if req.content_length is None:
        raise InvalidInput("the request has no body, or does not say its length")
    _check_length(req, max_bytes)
    with _telling_of_forms():
        parts = _read_parts(req, max_bytes)
    for name in required:
        if not any(part.data for part in parts.get(name, ())):
            problem = "is empty" if name in parts else "is missing"
            raise InvalidInput(
                f"the field {name!r} {problem}; send {' and '.join(required)}"
            )
    return parts


def only_one_each(parts: Mapping[str, list[Part]]) -> dict[str, bytes]:
    """The content of fields that stand there once.

    Raises:
        InvalidInput: one stands there twice.
    """
    for name, several in parts.items():
        if len(several) > 1:
            raise InvalidInput(f"the field {name[:128]!r} is there twice; send one")
    return {name: part.data for name, (part,) in parts.items()}


def text_field(form: Mapping[str, bytes], name: str) -> str:
    """A field that is text.

    Raises:
        InvalidInput: it is not.
    """
    try:
        return form[name].decode()
    except UnicodeDecodeError:
        raise InvalidInput(f"the field {name!r} is not a text in UTF-8") from None


def read_json(req: falcon.Request, max_bytes: int) -> dict[str, Any]:
    """Read a body that is one JSON object, whatever its content type says.

    Raises:
        InvalidInput: it is none, is cut short, nested deeper than orjson's 1024, or
            holds a number that float64 does not.
        TooLarge: the body is above its limit.
    """
    try:
        content = orjson.loads(read_body(req, max_bytes))
    except orjson.JSONDecodeError as ex:
        raise InvalidInput(f"the body is not JSON: {ex}") from ex
    if not isinstance(content, dict):
        raise InvalidInput("the body must be one JSON object")
    return content


def read_body(req: falcon.Request, max_bytes: int) -> bytes:
    """Read a body whole.

    Raises:
        InvalidInput: there is none, or less than the request says.
        TooLarge: it is above its limit.
        HTTPUnsupportedMediaType: it is encoded.
    """
    encoding = req.get_header("Content-Encoding") or _PLAIN
    if encoding.lower() != _PLAIN:
        raise falcon.HTTPUnsupportedMediaType(
            description=f"Content-Encoding {encoding[:64]!r} is not taken here; send"
            " the body as it is"
        )
    _check_length(req, max_bytes)
    chunks = []
    # Falcon's bounded stream takes a short read for a whole one.
    left = max_bytes + 1 if req.content_length is None else req.content_length
    while left > 0 and (chunk := req.stream.read(left)):
        chunks.append(chunk)
        left -= len(chunk)
    body = b"".join(chunks)
    if len(body) > max_bytes:
        raise TooLarge(f"the body is larger than {max_bytes} bytes")
    if not body:
        raise InvalidInput("the request has no body")
    # What is cut short may still be whole protobuf.
    if req.content_length not in (None, len(body)):
        raise InvalidInput(
            f"the body ends after {len(body)} bytes of {req.content_length}"
        )
    return body


def stream_form(req: falcon.Request) -> Iterator[Field]:
    """A multipart form's fields, each to be read before the next; none is kept.

    Raises:
        InvalidInput: it is no form.
    """
    handler = MultipartFormHandler()
    handler.parse_options.max_body_part_count = DEFAULT_LIMITS.members
    length = _UNKNOWN if req.content_length is None else req.content_length
    with _telling_of_forms():
        # Falcon's parser bounds the stream itself.
        for part in handler.deserialize(req.stream, req.content_type, length):
            if part.name is None:
                raise InvalidInput("a part of the form has no name")
            yield Field(part.name, part.filename, cast("Readable", part.stream))


@contextlib.contextmanager
def _telling_of_forms() -> Iterator[None]:
    """Say of a form that Falcon cannot read what to do about it."""
    try:
        yield
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


def read_stream(req: falcon.Request) -> Readable:
    """The body as it comes, for what is not held in memory.

    Without a Content-Length a server ends ``stream`` where the body ends.
    """
    stream = cast("Readable", req.stream)
    return (
        stream if req.content_length is None else _Bounded(stream, req.content_length)
    )


class _Bounded:
    """A stream that ends after so many bytes, which not every server's does.

    Falcon's own takes a short read for a whole one, and ends too early.
    """

    def __init__(self, stream: Readable, length: int) -> None:
        self._stream = stream
        self._left = length

    def read(self, size: int = _CHUNK, /) -> bytes:
        data = self._stream.read(min(size, self._left)) if self._left else b""
        self._left -= len(data)
        return data


def _check_length(req: falcon.Request, max_bytes: int) -> None:
    if req.content_length is not None and req.content_length > max_bytes:
        raise TooLarge(f"the body is larger than {max_bytes} bytes")


def _read_parts(req: falcon.Request, max_bytes: int) -> dict[str, list[Part]]:
    parts: dict[str, list[Part]] = {}
    handler = _form_handler(max_bytes)
    # The handler itself: Falcon looks one up by the media type as it is spelt, and
    # Multipart/Form-Data is the same.
    form = handler.deserialize(req.bounded_stream, req.content_type, req.content_length)
    for number, part in enumerate(form):
        if number == MAX_PARTS:
            raise TooLarge(
                f"the form has more than {MAX_PARTS} parts; send several requests"
            )
        if part.name is None:
            raise InvalidInput("a part of the form has no name")
        # A name may claim a charset, such as UTF-7, that holds what UTF-8 does not.
        filename = (part.filename or "").encode(errors="replace").decode()
        parts.setdefault(part.name, []).append(Part(filename, part.get_data()))
    return parts


# Falcon's own bound. Each part costs its parser some 50 us, and an image more.
MAX_PARTS = 64


@functools.cache
def _form_handler(max_bytes: int) -> MultipartFormHandler:
    """Falcon's own parser, with its bounds on parts and headers."""
    handler = MultipartFormHandler()
    handler.parse_options.max_body_part_buffer_size = max_bytes
    # One more than are taken, so that it is said here what is wrong.
    handler.parse_options.max_body_part_count = MAX_PARTS + 1
    return handler
