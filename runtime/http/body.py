"""Reading a request's body, under limits."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, cast

import falcon
import orjson

from bundle.archive import Readable
from bundle.errors import TooLarge
from runtime.errors import InvalidInput
from runtime.http.forms import parts_of, stream_parts
from runtime.http.plain_form import Part
from runtime.publishing.bundle_form import Field
from runtime.telemetry.journey import Journey

_CHUNK = 1 << 18
# HTTP uses this word for a body that is not encoded.
_PLAIN = "identity"


def journey_of(req: falcon.Request) -> Journey:
    """Return the request's journey; begin it if no middleware did."""
    journey: Journey | None = getattr(req.context, "journey", None)
    if journey is None:
        journey = req.context.journey = Journey()
    return journey


def is_multipart(req: falcon.Request) -> bool:
    """Tell whether the body is a multipart form, in any spelling of the type."""
    return (req.content_type or "").lower().startswith(falcon.MEDIA_MULTIPART)


def read_form(req: falcon.Request, max_bytes: int, *required: str) -> dict[str, bytes]:
    """Read a whole multipart form; see ``read_parts`` and ``only_one_each``."""
    return only_one_each(read_parts(req, max_bytes, *required))


def read_parts(
    req: falcon.Request, max_bytes: int, *required: str
) -> dict[str, list[Part]]:
    """Read a whole multipart form, in which a field may stand several times.

    Args:
        req: the request.
        max_bytes: the most bytes of its body.
        required: the fields that must be there; the errors name them.

    Returns:
        Each field's parts, in their order.

    Raises:
        InvalidInput: the body is no form, or a field is missing.
        TooLarge: the body is above its limit, or has too many parts.
    """
    if not is_multipart(req):
        raise falcon.HTTPUnsupportedMediaType(
            description=f"send {falcon.MEDIA_MULTIPART} with the fields"
            f" {', '.join(required)}"
        )
    if not req.env.get("CONTENT_LENGTH"):
        raise InvalidInput("the request has no body, or does not say its length")
    parts = parts_of(read_body(req, max_bytes), req.content_type)
    for name in required:
        for part in parts.get(name, ()):
            if part.data:
                break
        else:
            problem = "is empty" if name in parts else "is missing"
            raise InvalidInput(
                f"the field {name!r} {problem}; send {' and '.join(required)}"
            )
    return parts


def only_one_each(parts: Mapping[str, list[Part]]) -> dict[str, bytes]:
    """Return the content of each field, which may stand there once.

    Raises:
        InvalidInput: a field stands there twice.
    """
    contents = {}
    for name, several in parts.items():
        if len(several) > 1:
            raise InvalidInput(f"the field {name[:128]!r} is there twice; send one")
        contents[name] = several[0].data
    return contents


def text_fields(form: Mapping[str, bytes], names: Iterable[str]) -> dict[str, str]:
    """Return the texts of those fields that are there, of some names.

    Raises:
        InvalidInput: a field is not UTF-8.
    """
    texts = {}
    for name in names:
        if name in form:
            try:
                texts[name] = form[name].decode()
            except UnicodeDecodeError:
                raise InvalidInput(
                    f"the field {name!r} is not a text in UTF-8"
                ) from None
    return texts


def read_json(req: falcon.Request, max_bytes: int) -> dict[str, Any]:
    """Read a body that is one JSON object; its content type does not matter.

    Raises:
        InvalidInput: the body is no JSON object, is cut short, is nested deeper than
            orjson's 1024, or holds a number beyond float64.
        TooLarge: the body is above its limit.
    """
    try:
        content = orjson.loads(read_body(req, max_bytes))
    except orjson.JSONDecodeError as ex:
        raise InvalidInput(
            f"the body is not JSON: it cannot be read at line {ex.lineno}, column"
            f" {ex.colno}"
        ) from ex
    if not isinstance(content, dict):
        raise InvalidInput("the body must be one JSON object")
    return content


def read_body(req: falcon.Request, max_bytes: int) -> bytes:
    """Read a whole body.

    Raises:
        InvalidInput: there is no body, or a shorter one than the request says.
        TooLarge: the body is above its limit.
        HTTPUnsupportedMediaType: the body is encoded.
    """
    encoding = req.env.get("HTTP_CONTENT_ENCODING")
    if encoding and encoding.lower() != _PLAIN:
        raise falcon.HTTPUnsupportedMediaType(
            description=f"Content-Encoding {encoding[:64]!r} is not taken here; send"
            " the body as it is"
        )
    length = req.content_length
    if length is not None and length > max_bytes:
        raise TooLarge(f"the body is larger than {max_bytes} bytes")
    # Falcon's bounded stream ends at a short read, even if more bytes follow.
    left = max_bytes + 1 if length is None else length
    body = req.stream.read(left) if left else b""
    if body and len(body) < left:
        chunks = [body]
        left -= len(body)
        while left and (chunk := req.stream.read(left)):
            chunks.append(chunk)
            left -= len(chunk)
        body = b"".join(chunks)
    if len(body) > max_bytes:
        raise TooLarge(f"the body is larger than {max_bytes} bytes")
    if not body:
        raise InvalidInput("the request has no body")
    # A protobuf message that is cut short may still be readable.
    if length not in (None, len(body)):
        raise InvalidInput(f"the body ends after {len(body)} bytes of {length}")
    return body


def stream_form(req: falcon.Request) -> Iterator[Field]:
    """Give a multipart form's fields; each must be read before the next one.

    Raises:
        InvalidInput: the body is no form.
    """
    return stream_parts(read_stream(req), req.content_type)


def read_stream(req: falcon.Request) -> Readable:
    """Return the body as a stream, for content that is not held in memory.

    Without a Content-Length a server ends ``stream`` where the body ends.
    """
    stream = cast("Readable", req.stream)
    return (
        stream if req.content_length is None else _Bounded(stream, req.content_length)
    )


class _Bounded:
    """A stream that ends after so many bytes; not every server's stream does.

    Falcon's own bounded stream ends at a short read, which is too early.
    """

    def __init__(self, stream: Readable, length: int) -> None:
        self._stream = stream
        self._left = length

    def read(self, size: int = _CHUNK, /) -> bytes:
        data = self._stream.read(min(size, self._left)) if self._left else b""
        self._left -= len(data)
        return data
