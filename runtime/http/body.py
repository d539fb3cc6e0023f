"""Reading a request's body, under limits.

All functions read the request's WSGI environ, and not Falcon's request, because
predictions are answered without Falcon. ``Authorize`` and ``Predictions`` let no length
pass that is no number.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from typing import Any

import falcon

from bundle.errors import TooLarge
from bundle.upload import Readable
from runtime.errors import InvalidInput
from runtime.http.environ_keys import Environ
from runtime.http.forms import parts_of, stream_parts
from runtime.http.plain_form import Part
from runtime.publishing.bundle_form import Field
from runtime.wire.json_object import read_object

_CHUNK = 1 << 18
# HTTP uses this word for a body that is not encoded.
PLAIN = "identity"


def is_multipart(env: Environ) -> bool:
    """Tell whether the body is a multipart form, in any spelling of the type."""
    content_type: str = env.get("CONTENT_TYPE", "")
    return content_type.lower().startswith(falcon.MEDIA_MULTIPART)


def read_parts(env: Environ, max_bytes: int, *required: str) -> dict[str, list[Part]]:
    """Read a whole multipart form, in which a field may stand several times.

    Args:
        env: the request's environ.
        max_bytes: the most bytes of its body.
        required: the fields that must be there; the errors name them.

    Returns:
        Each field's parts, in their order.

    Raises:
        InvalidInput: the body is no form, or a field is missing.
        TooLarge: the body is above its limit, or has too many parts.
    """
    content_type = env.get("CONTENT_TYPE", "")
    if not (content_type.startswith(falcon.MEDIA_MULTIPART) or is_multipart(env)):
        raise falcon.HTTPUnsupportedMediaType(
            description=f"send {falcon.MEDIA_MULTIPART} with the fields"
            f" {', '.join(required)}"
        )
    if not env.get("CONTENT_LENGTH"):
        raise InvalidInput("the request has no body, or does not say its length")
    parts = parts_of(read_body(env, max_bytes), content_type)
    for name in required:
        for part in parts.get(name, ()):
            if part.data:
                break
        else:
            problem = "is empty" if name in parts else "is missing"
            raise InvalidInput(
                f"the field {name!r} {problem}; send {', '.join(required)}"
            )
    return parts


def texts_of(parts: Mapping[str, list[Part]], names: Collection[str]) -> dict[str, str]:
    """Return the texts of those fields that are there, of some names.

    Args:
        parts: the form's parts; a field may stand there once.
        names: the names.

    Raises:
        InvalidInput: a field stands there twice, or is not UTF-8.
    """
    texts = {}
    for name, several in parts.items():
        if len(several) > 1:
            raise InvalidInput(f"the field {name[:128]!r} is there twice; send one")
        if name in names:
            try:
                texts[name] = several[0].data.decode()
            except UnicodeDecodeError:
                raise InvalidInput(
                    f"the field {name!r} is not a text in UTF-8"
                ) from None
    return texts


def read_json(env: Environ, max_bytes: int) -> dict[str, Any]:
    """Read a body that is one JSON object; its content type does not matter.

    Raises:
        InvalidInput: see ``read_object``.
        TooLarge: the body is above its limit.
    """
    return read_object(read_body(env, max_bytes))


def read_body(env: Environ, max_bytes: int) -> bytes:
    """Read a whole body.

    Raises:
        InvalidInput: there is no body, or a shorter one than the request says.
        TooLarge: the body is above its limit.
        HTTPUnsupportedMediaType: the body is encoded.
    """
    encoding = env.get("HTTP_CONTENT_ENCODING")
    if encoding and encoding.lower() != PLAIN:
        raise falcon.HTTPUnsupportedMediaType(
            description=f"Content-Encoding {encoding[:64]!r} is not taken here; send"
            " the body as it is"
        )
    return read_as_it_came(env, max_bytes)


def read_as_it_came(env: Environ, max_bytes: int) -> bytes:
    """Read a whole body, encoded or not.

    Raises:
        InvalidInput: there is no body, or a shorter one than the request says.
        TooLarge: the body is above its limit.
    """
    text, stream = env.get("CONTENT_LENGTH"), env["wsgi.input"]
    length = int(text) if text else None
    if length is not None and length > max_bytes:
        raise TooLarge(f"the body is larger than {max_bytes} bytes")
    left = max_bytes + 1 if length is None else length
    body: bytes = stream.read(left) if left else b""
    if body and len(body) < left:
        chunks = [body]
        left -= len(body)
        while left and (chunk := stream.read(left)):
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


def stream_form(env: Environ) -> Iterator[Field]:
    """Give a multipart form's fields; each must be read before the next one.

    Raises:
        InvalidInput: the body is no form.
    """
    return stream_parts(read_stream(env), env.get("CONTENT_TYPE"))


def read_stream(env: Environ) -> Readable:
    """Return the body as a stream, for content that is not held in memory.

    Without a Content-Length a server ends the stream where the body ends.
    """
    stream: Readable = env["wsgi.input"]
    length = env.get("CONTENT_LENGTH")
    return _Bounded(stream, int(length)) if length else stream


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
