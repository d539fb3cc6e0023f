"""The bytes of a reply's head (RFC 9112)."""

from __future__ import annotations

import functools
import http
from collections.abc import Sequence
from email.utils import formatdate
from typing import Final

Headers = Sequence[tuple[str, str]]

CONTINUE: Final = b"HTTP/1.1 100 Continue\r\n\r\n"
# This is sent where the application itself cannot answer.
FAILED: Final = b'{"error":"the server failed on this request; its log says why"}'
_START: Final = {
    status.value: f"HTTP/1.1 {status.value} {status.phrase}\r\n"
    for status in http.HTTPStatus
}
# Replies of these statuses have no body, and no length either.
_WITHOUT_BODY = (204, 304)
# So many headers, the last ones, are written anew for each reply.
_LAST = 2
_BREAK = "a reply's header has a line break"


class UnsafeHeader(ValueError):
    """A header's value has a line break, and would forge other headers."""


class Date:
    """The reply's header ``Date``, made anew once a second.

    Attributes:
        line: the header, with its line break.
    """

    def __init__(self) -> None:
        self.line = ""
        self.renew()

    def renew(self) -> None:
        """Take the time of now."""
        self.line = f"date: {formatdate(usegmt=True)}\r\n"


def head_of(
    status: int, headers: Headers, date: str, connection: str, length: int | None
) -> bytes:
    """Make the head of a reply.

    Args:
        status: the status.
        headers: the names and values, as the application gave them.
        date: the line of the header ``Date``.
        connection: the value of the header ``Connection``; empty leaves it out.
        length: the body's length in bytes; it is left out if it is None, or if the
            application told a length.

    Raises:
        UnsafeHeader: a header has a line break.
    """
    # Predictions differ in their last headers alone: the length and the request's id.
    is_usual = bool(headers) and headers[-1][0] == "X-Request-Id"
    others = tuple(headers[:-_LAST])
    block, has_length = _block_again(others) if is_usual else _block_of(others)
    for name, value in headers[-_LAST:]:
        if "\n" in value or "\r" in value or "\n" in name or "\r" in name:
            raise UnsafeHeader(_BREAK)
        if name.lower() == "content-length":
            has_length = True
        block += f"{name}: {value}\r\n"
    if connection:
        block += f"connection: {connection}\r\n"
    if length is not None and not has_length and status not in _WITHOUT_BODY:
        block += f"content-length: {length}\r\n"
    start = _START.get(status) or f"HTTP/1.1 {status} \r\n"
    return f"{start}{date}{block}\r\n".encode("latin-1", "replace")


def _block_of(headers: tuple[tuple[str, str], ...]) -> tuple[str, bool]:
    """Return the lines of headers, and whether the body's length is among them."""
    lines = [f"{name}: {value}\r\n" for name, value in headers]
    block = "".join(lines)
    if block.count("\n") != len(lines) or block.count("\r") != len(lines):
        raise UnsafeHeader(_BREAK)
    return block, any(name.lower() == "content-length" for name, _ in headers)


_block_again = functools.lru_cache(maxsize=256)(_block_of)


def chunk_of(data: bytes) -> bytes:
    """Make one chunk of a chunked body; an empty piece makes the last chunk."""
    return b"%x\r\n%b\r\n" % (len(data), data)
