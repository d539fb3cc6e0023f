"""From the bytes of one connection to the heads and bodies of its requests.

llhttp parses them (``httptools``). Some bytes that it lets pass are refused here: long
heads, other versions and codings, and requests without one host.
"""

from __future__ import annotations

import logging
from typing import NamedTuple, Protocol

import httptools

from runtime.server.environ import Environ, environ_of
from runtime.server.replies import FAILED

logger = logging.getLogger(__name__)

# The most bytes of a head; a path, a token and a trace take 2 KiB of it.
HEAD_BYTES = 1 << 16
# The most headers of a request.
MAX_HEADERS = 100

_HTTP_1_1 = "1.1"
_HTTP_1_0 = "1.0"


class Refusal(NamedTuple):
    """The reply to bytes that are no request.

    Attributes:
        status: the status, one of HTTP's.
        body: the body, a JSON object.
    """

    status: int
    body: bytes


_UNREADABLE = Refusal(
    400, b'{"error":"the request is not HTTP/1.1 as RFC 9112 has it"}'
)
_WRONG_HOST = Refusal(400, b'{"error":"send one header Host"}')
_TOO_LONG = Refusal(
    431, b'{"error":"the head is too long: it may have 64 KiB and 100 headers"}'
)
_BROKEN = Refusal(500, FAILED)
_UNKNOWN_METHOD = Refusal(501, b'{"error":"the method is not known here"}')
_WRONG_CODING = Refusal(
    501, b'{"error":"Transfer-Encoding may be chunked here, and nothing else"}'
)
_WRONG_VERSION = Refusal(505, b'{"error":"send HTTP/1.1 or HTTP/1.0"}')


class Unread(Exception):
    """The rest of a request is not read; a receiver raises it."""


class _Refused(Exception):
    """The head is refused before it becomes a request."""

    def __init__(self, refusal: Refusal) -> None:
        super().__init__(refusal)
        self.refusal = refusal


class Receiver(Protocol):
    """The connection, which gets what is parsed. Each method may raise ``Unread``."""

    def begin(self, environ: Environ, keeps: bool) -> None:
        """Begin a request by its head.

        Args:
            environ: its environ, without a body.
            keeps: whether the client can send another request on the connection.
        """

    def take(self, piece: bytes) -> None:
        """Take a piece of the body of the request that was begun last."""

    def complete(self) -> None:
        """Note that the request that was begun last has come whole."""

    def end_after_the_last(self) -> None:
        """Note that nothing that follows is a request."""


class Parser:
    """Parses what one client sends.

    Args:
        receiver: the connection.
        environ: the part of the environ that all requests of the connection share.
    """

    def __init__(self, receiver: Receiver, environ: Environ) -> None:
        self._receiver = receiver
        self._environ = environ
        self._target = b""
        self._headers: list[tuple[bytes, bytes]] = []
        self._is_in_head = True
        self._head_bytes = 0  # no more bytes came of a head that is not whole
        self._fed = 0  # the bytes of this call
        self._since_head = 0  # the bytes of all calls since the one of the last head
        # llhttp calls these two without a detour.
        self.on_body = receiver.take
        self.on_message_complete = receiver.complete
        self._parser = httptools.HttpRequestParser(self)

    def feed(self, data: bytes, *, is_of_body: bool = False) -> Refusal | None:
        """Parse bytes; return a refusal if they are no request.

        Args:
            data: the bytes.
            is_of_body: whether they begin with a part of a body.
        """
        self._fed = len(data)
        self._since_head += len(data)
        if not is_of_body:
            self._head_bytes += len(data)
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade:
            # The offer of another protocol is not taken, but what follows may be it.
            self._receiver.end_after_the_last()
        except httptools.HttpParserCallbackError as ex:
            refused = ex.__context__
            if isinstance(refused, _Refused):
                return refused.refusal
            if not isinstance(refused, Unread):
                logger.error("a request cannot be read", exc_info=refused)
                return _BROKEN
        except httptools.HttpParserInvalidMethodError:
            return _UNKNOWN_METHOD
        except httptools.HttpParserError:
            return _UNREADABLE
        return _TOO_LONG if self._head_bytes > 2 * HEAD_BYTES else None

    # -- what llhttp calls -------------------------------------------------------------

    def on_url(self, url: bytes) -> None:
        """Take the request's target; it may come in pieces, and begins a request."""
        self._target += url
        self._is_in_head = True
        if len(self._target) > HEAD_BYTES:
            raise _Refused(_TOO_LONG)

    def on_header(self, name: bytes, value: bytes) -> None:
        """Take a header; those behind a chunked body are left out."""
        if self._is_in_head:
            self._headers.append((name, value))
            if len(self._headers) > MAX_HEADERS:
                raise _Refused(_TOO_LONG)

    def on_headers_complete(self) -> None:
        """Make the request's environ of its head."""
        parser, headers = self._parser, self._headers
        version = parser.get_http_version()
        if version not in (_HTTP_1_1, _HTTP_1_0):
            raise _Refused(_WRONG_VERSION)
        if self._since_head > HEAD_BYTES and self._size() > HEAD_BYTES:
            raise _Refused(_TOO_LONG)
        method = parser.get_method().decode("latin-1")
        environ = environ_of(self._environ, method, self._target, version, headers)
        self._target, self._headers = b"", []
        self._is_in_head, self._head_bytes = False, 0
        self._since_head = self._fed
        coding = environ.get("HTTP_TRANSFER_ENCODING")
        if coding is not None and (coding.lower() != "chunked" or version == _HTTP_1_0):
            raise _Refused(_WRONG_CODING)
        host = environ.get("HTTP_HOST")
        if (host is None and version == _HTTP_1_1) or (host and "," in host):
            raise _Refused(_WRONG_HOST)
        self._receiver.begin(environ, parser.should_keep_alive())

    def _size(self) -> int:
        """Return the bytes of the head that is parsed."""
        sizes = (len(name) + len(value) for name, value in self._headers)
        return len(self._target) + sum(sizes)
