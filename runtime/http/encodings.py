"""Bodies that are encoded as gzip or deflate on the wire, under limits."""

from __future__ import annotations

import functools
import zlib

import falcon

from bundle.errors import TooLarge
from runtime.errors import InvalidInput
from runtime.http.body import PLAIN, read_as_it_came
from runtime.http.environ_keys import Environ
from runtime.http.reply import Headers
from runtime.lane import elsewhere

# zlib's number for each encoding: HTTP's deflate is a stream in zlib's format (RFC
# 9110), and gzip is 16 more. The first that a client accepts is taken.
_WINDOWS = {"gzip": zlib.MAX_WBITS | 16, "deflate": zlib.MAX_WBITS}

# So many bytes are packed within a millisecond.
_QUICK_BYTES = 1 << 16
# A shorter reply is sent as it is: it fits into one packet, and packing takes as long
# as a small model.
_SHORT_BYTES = 1024
# zlib's quickest level. Numbers of a model are hardly shorter with a higher one.
_LEVEL = 1


def read_encoded_body(env: Environ, max_bytes: int) -> bytes:
    """Read a whole body, and unpack it if it is encoded.

    ``runtime serve`` answers a request with an encoded body in another thread than the
    network's, since both its unpacking and its reading may take long.

    Args:
        env: the request's environ.
        max_bytes: the most bytes of the body, on the wire and unpacked.

    Raises:
        InvalidInput: there is no body, it ends too early, or it is not encoded as the
            request says.
        TooLarge: the body is above its limit.
        HTTPUnsupportedMediaType: it has another encoding.
    """
    encoding: str = env.get("HTTP_CONTENT_ENCODING", "").strip().lower() or PLAIN
    if encoding != PLAIN and encoding not in _WINDOWS:
        raise falcon.HTTPUnsupportedMediaType(
            description=f"Content-Encoding {encoding[:64]!r} is not taken here; send"
            f" {', '.join(_WINDOWS)}, or the body as it is"
        )
    body = read_as_it_came(env, max_bytes)
    return body if encoding == PLAIN else _unpacked(body, encoding, max_bytes)


def _unpacked(body: bytes, encoding: str, max_bytes: int) -> bytes:
    unpacker = zlib.decompressobj(_WINDOWS[encoding])
    try:
        content = unpacker.decompress(body, max_bytes + 1)
    except zlib.error:
        raise InvalidInput(
            f"the body is no {encoding}, as its Content-Encoding says"
        ) from None
    if len(content) > max_bytes:
        raise TooLarge(f"the body unpacks to more than {max_bytes} bytes")
    if not unpacker.eof:
        raise InvalidInput(f"the body ends before the end of its {encoding}")
    if unpacker.unused_data:
        raise InvalidInput(f"the body goes on after the end of its {encoding}")
    if not content:
        raise InvalidInput("the request has no body")
    return content


def encoded(env: Environ, body: bytes) -> tuple[bytes, Headers]:
    """Pack a reply's body if that is worth while, and if the client accepts it.

    Returns:
        The body as it is sent, and the headers that say so.
    """
    if len(body) < _SHORT_BYTES:
        return body, ()
    encoding = accepted(env)
    if encoding is None:
        return body, ()
    pack = functools.partial(_packed, body, encoding)
    packed = pack() if len(body) <= _QUICK_BYTES else elsewhere(pack)
    return packed, (("Content-Encoding", encoding), ("Vary", "Accept-Encoding"))


def _packed(body: bytes, encoding: str) -> bytes:
    packer = zlib.compressobj(_LEVEL, wbits=_WINDOWS[encoding])
    return packer.compress(body) + packer.flush()


def accepted(env: Environ) -> str | None:
    """Return the first of our encodings that a client accepts; None if it has none."""
    header: str = env.get("HTTP_ACCEPT_ENCODING", "")
    if not header:
        return None
    refused: set[str] = set()
    named: set[str] = set()
    for part in header.lower().split(","):
        name, _, quality = part.partition(";")
        value = quality.replace(" ", "").partition("q=")[2]
        # Any number of zeros is "not at all".
        (refused if value and not value.strip("0.") else named).add(name.strip())
    if "*" in named:
        named |= _WINDOWS.keys()
    return next((name for name in _WINDOWS if name in named - refused), None)
