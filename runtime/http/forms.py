"""Multipart forms; the ``multipart`` package reads them whole, or as they come.

``runtime/http/plain_form.py`` reads most of them before the parser sees them. Falcon's
own parser takes 88 us for a small form of two fields, and this one 30 us.
"""

from __future__ import annotations

import re
import urllib.parse
from collections.abc import Iterator
from typing import Any, TypeAlias

from multipart import (
    MultipartError,
    MultipartSegment,
    ParserError,
    ParserLimitReached,
    PushMultipartParser,
    parse_options_header,
)

from bundle.errors import DomainError, TooLarge
from bundle.upload import DEFAULT_LIMITS, Readable
from runtime.errors import InvalidInput
from runtime.http.plain_form import Part, plain_parts
from runtime.publishing.bundle_form import Field

# The most parts of a form that is read whole. The parser takes 10 us for each, and an
# image takes more.
MAX_PARTS = 64
# The most lines of one part's head, and bytes of each; RFC 7578 has three lines.
_MAX_HEAD_LINES = 8
_MAX_HEAD_LINE = 4096
# RFC 2046 allows so many characters. The parser compares each byte of a body with it.
_MAX_BOUNDARY = 70
_CHUNK = 1 << 18
# The most bytes before the first part and after the last one; nobody reads them.
_MAX_OUTSIDE = 1 << 20
# The most bytes of a field that its reader left; a tar's padding has no more.
_MAX_REST = 1 << 20


def parts_of(body: bytes, content_type: str | None) -> dict[str, list[Part]]:
    """Read a form's parts by the names of their fields; each field's keep their order.

    Args:
        body: the whole body.
        content_type: the request's content type, with the boundary.

    Raises:
        InvalidInput: the body is no form, or a part has no name.
        TooLarge: there are more parts than ``MAX_PARTS``, or a part's head is too long.
    """
    plain = plain_parts(body, content_type, MAX_PARTS)
    return _parsed(body, content_type) if plain is None else plain


def _parsed(body: bytes, content_type: str | None) -> dict[str, list[Part]]:
    """Read a form of any kind with the parser; see ``parts_of``."""
    parts: dict[str, list[Part]] = {}
    parser = _parser(content_type, MAX_PARTS)
    try:
        # An empty piece tells the parser that all has come; only ``_end`` tells it.
        for event in parser.parse(body) if body else ():
            if isinstance(event, MultipartSegment):
                segment, data = event, b""
            elif event is not None:
                data = event  # the whole content, because the whole body is there
            else:
                part = Part(_filename_of(segment) or "", data)
                parts.setdefault(_name_of(segment), []).append(part)
    except MultipartError as ex:
        raise _in_our_words(ex) from ex
    _end(parser)
    return parts


def stream_parts(stream: Readable, content_type: str | None) -> Iterator[Field]:
    """Give a form's fields; each must be read before the next one.

    Args:
        stream: a stream that ends where the form ends.
        content_type: the request's content type, with the boundary.

    Raises:
        InvalidInput: the body is no form. A field's ``stream`` raises it, too.
        TooLarge: the form has too many parts, too long heads, too many bytes outside of
            its parts, or too many bytes that a field's reader left.
    """
    events = _events(stream, _parser(content_type, DEFAULT_LIMITS.members))
    for event in events:
        if isinstance(event, MultipartSegment):
            content = _Content(events)
            yield Field(_name_of(event), _filename_of(event), content)
            content.skip()


class _Parser(PushMultipartParser):  # type: ignore[misc]  # it has no types
    """The package's parser, which takes heads in any encoding.

    The names may be in any code page. Latin-1 gives each byte one character, and
    ``_text`` reads these bytes as UTF-8.
    """

    def __init__(self, boundary: bytes, max_parts: int) -> None:
        super().__init__(
            boundary,
            max_header_size=_MAX_HEAD_LINE,
            max_header_count=_MAX_HEAD_LINES,
            header_charset="latin-1",
        )
        self._parts_left = self._max_parts = max_parts

    def _create_segment(self, headerlist: list[tuple[str, str]]) -> MultipartSegment:
        self._parts_left -= 1
        if self._parts_left < 0:
            raise TooLarge(
                f"the form has more than {self._max_parts} parts; send several requests"
            )
        return super()._create_segment(headerlist)

    def _on_segment_headerline(self, line: bytes) -> None:
        # Each line that continues another copies both: a head of 4 KiB took 4 ms.
        if line[:1] in (b" ", b"\t"):
            raise ParserError("a head's line is continued")
        super()._on_segment_headerline(line)


def _parser(content_type: str | None, max_parts: int) -> _Parser:
    _, options = parse_options_header(content_type or "")
    # Each character of a WSGI text stands for one byte.
    boundary = options.get("boundary", "").encode("latin-1", "replace")
    if not boundary:
        raise InvalidInput(
            "the multipart form cannot be read (its content type names no boundary);"
            " send it as curl -F does"
        )
    if len(boundary) > _MAX_BOUNDARY:
        raise InvalidInput(
            f"the multipart form's boundary is longer than {_MAX_BOUNDARY} characters"
        )
    try:
        return _Parser(boundary, max_parts)
    except MultipartError as ex:
        raise InvalidInput(
            "the multipart form's boundary has characters that no boundary may have;"
            " send it as curl -F does"
        ) from ex


# The events of a parser: a part's head, then pieces of its content, then None.
_Event: TypeAlias = Any


def _events(stream: Readable, parser: _Parser) -> Iterator[_Event]:
    outside = 0
    while chunk := stream.read(_CHUNK):
        outside += len(chunk)
        try:
            for event in parser.parse(chunk):
                outside = 0
                yield event
        except MultipartError as ex:
            raise _in_our_words(ex) from ex
        # Each piece of a part gives an event, which sets the number to 0.
        if outside > _MAX_OUTSIDE:
            raise TooLarge(
                f"the form has more than {_MAX_OUTSIDE} bytes that belong to no part"
            )
    _end(parser)


def _in_our_words(error: MultipartError) -> DomainError:
    if isinstance(error, ParserLimitReached):
        return TooLarge(
            f"a part of the form has more than {_MAX_HEAD_LINES} header lines, or one"
            f" of more than {_MAX_HEAD_LINE} bytes; send it as curl -F does"
        )
    return InvalidInput(
        "the multipart form cannot be read: a boundary or the head of a part is not as"
        " RFC 7578 has it; send it as curl -F does"
    )


def _end(parser: _Parser) -> None:
    try:
        parser.close()
    except MultipartError as ex:
        raise InvalidInput(
            "the multipart form cannot be read: it ends before its last boundary; send"
            " it as curl -F does"
        ) from ex


class _Content:
    """One part's content; its events are followed by those of the next parts."""

    def __init__(self, events: Iterator[_Event]) -> None:
        self._events = events
        self._piece = b""
        self._given = 0  # bytes of the piece
        self._is_over = False

    def read(self, size: int = _CHUNK, /) -> bytes:
        if self._given == len(self._piece) and not self._is_over:
            event = next(self._events, None)
            self._is_over = event is None
            self._piece = event if isinstance(event, bytes) else b""
            self._given = 0
        # A reader may ask for few bytes at a time; the rest is not copied each time.
        data = self._piece[self._given : self._given + size]
        self._given += len(data)
        return data

    def skip(self) -> None:
        skipped = 0
        while piece := self.read():
            skipped += len(piece)
            if skipped > _MAX_REST:
                raise TooLarge(
                    f"a field has more than {_MAX_REST} bytes after its content"
                )


def _name_of(segment: MultipartSegment) -> str:
    if not segment.name:
        raise InvalidInput("a part of the form has no name")
    return _text(segment.name)


def _filename_of(segment: MultipartSegment) -> str | None:
    """Return the file's name, which is only shown; None if there is none."""
    if segment.filename is not None:
        return _text(segment.filename)
    # RFC 7578 forbids this form, but older clients send it. RFC 5987 has two charsets.
    for _, value in segment.headerlist:
        if "*" in value and (found := _EXTENDED.search(value)):
            return urllib.parse.unquote(found[2], found[1].lower(), "replace")
    return None


_EXTENDED = re.compile(
    r"; *filename\* *= *(utf-8|iso-8859-1)'[^';]*'([^;\s]*)", re.IGNORECASE
)


def _text(latin: str) -> str:
    """Read a head's text as UTF-8, with replacement characters where it is none."""
    return (
        latin if latin.isascii() else latin.encode("latin-1").decode(errors="replace")
    )
