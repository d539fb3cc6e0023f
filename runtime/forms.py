"""Multipart forms, read by the ``multipart`` package: whole, or as they come.

Falcon's own parser takes 88 us for a small form of two fields, and this one 30.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple, TypeAlias

from multipart import (
    MultipartError,
    MultipartSegment,
    PushMultipartParser,
    parse_options_header,
)

from bundle.archive import DEFAULT_LIMITS, Readable
from bundle.errors import TooLarge
from runtime.bundle_form import Field
from runtime.errors import InvalidInput

# Parts of a form that is read whole: each costs its parser 10 us, and an image more.
MAX_PARTS = 64
_CHUNK = 1 << 18


class Part(NamedTuple):
    """One part of a multipart form.

    Attributes:
        filename: as the client sent it; empty if it sent none.
        data: its content.
    """

    filename: str
    data: bytes


def parts_of(body: bytes, content_type: str | None) -> dict[str, list[Part]]:
    """A form's parts by the names of their fields, each name's in their order.

    Args:
        body: the whole of it.
        content_type: of the request, with the boundary.

    Raises:
        InvalidInput: it is no form, or a part has no name.
        TooLarge: there are more parts than ``MAX_PARTS``.
    """
    parts: dict[str, list[Part]] = {}
    number = 0
    parser = _parser(content_type)
    try:
        for event in parser.parse(body):
            if isinstance(event, MultipartSegment):
                number += 1
                if number > MAX_PARTS:
                    raise TooLarge(
                        f"the form has more than {MAX_PARTS} parts; send several"
                        " requests"
                    )
                segment, data = event, b""
            elif event is not None:
                data = event  # whole, as the body is
            else:
                part = Part(segment.filename or "", data)
                parts.setdefault(_name_of(segment), []).append(part)
        parser.close()
    except MultipartError as ex:
        raise _unreadable(ex) from ex
    return parts


def stream_parts(stream: Readable, content_type: str | None) -> Iterator[Field]:
    """A form's fields, each to be read before the next; none is kept.

    Args:
        stream: ends where the form does.
        content_type: of the request, with the boundary.

    Raises:
        InvalidInput: it is no form; also from a field's ``stream``.
    """
    events = _events(stream, _parser(content_type, DEFAULT_LIMITS.members))
    for event in events:
        if isinstance(event, MultipartSegment):
            content = _Content(events)
            yield Field(_name_of(event), event.filename, content)
            content.skip()


# RFC 2046's. Each byte of the body is compared with it.
_MAX_BOUNDARY = 70


def _parser(
    content_type: str | None, max_parts: int = MAX_PARTS + 1
) -> PushMultipartParser:
    _, options = parse_options_header(content_type or "")
    boundary = options.get("boundary", "")
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
        return PushMultipartParser(boundary, max_segment_count=max_parts)
    except MultipartError as ex:
        raise _unreadable(ex) from ex


# What a parser tells of: a part's head, then pieces of its content, then None.
_Event: TypeAlias = Any


def _events(stream: Readable, parser: PushMultipartParser) -> Iterator[_Event]:
    try:
        while not parser.closed:
            yield from parser.parse(stream.read(_CHUNK))
    except MultipartError as ex:
        raise _unreadable(ex) from ex


class _Content:
    """One part's content, of the events that are its and the next parts'."""

    def __init__(self, events: Iterator[_Event]) -> None:
        self._events = events
        self._piece = b""
        self._is_over = False

    def read(self, size: int = _CHUNK, /) -> bytes:
        if not self._piece and not self._is_over:
            event = next(self._events, None)
            self._is_over = event is None
            self._piece = event if isinstance(event, bytes) else b""
        given, self._piece = self._piece[:size], self._piece[size:]
        return given

    def skip(self) -> None:
        while self.read():
            pass


def _name_of(segment: MultipartSegment) -> str:
    if not segment.name:
        raise InvalidInput("a part of the form has no name")
    return str(segment.name)


def _unreadable(ex: MultipartError) -> InvalidInput:
    return InvalidInput(
        f"the multipart form cannot be read ({ex}); send it as curl -F does"
    )
