"""The forms that nearly every client sends, which need no parser.

curl, browsers and the usual libraries write a form in one way. Such a form takes a
quarter of the time that the parser of ``runtime/http/forms.py`` takes, which reads all
others. This reader gives exactly what the parser gives, or nothing.
"""

from __future__ import annotations

import functools
import re
from typing import NamedTuple

# The parser cuts a boundary off at any other character, unless it is quoted. RFC 2046
# allows so many characters.
_KIND = re.compile(r"multipart/form-data; ?boundary=([A-Za-z0-9'+._-]{1,70})")

# The parser gives a meaning to percent signs, backslashes and stars in a head, and
# refuses long lines. Some clients send the content type first.
_TYPE = rb"Content-Type: [^*\x00-\x1f\x7f-\xff]{1,200}\r\n"
_HEAD = re.compile(
    rb"\r\n(?:" + _TYPE + rb")?"
    rb'Content-Disposition: form-data; name="([^"%*\\\x00-\x1f\x7f-\xff]{1,200})"'
    rb'(?:; filename="([^"%\\\x00-\x1f\x7f-\xff]{0,1000})")?\r\n'
    rb"(?:" + _TYPE + rb")?\r\n"
)
_END_OF_HEAD = b"\r\n\r\n"
# A head that fits the pattern is not longer.
_LONGEST_HEAD = 2048


class Part(NamedTuple):
    """One part of a multipart form.

    Attributes:
        filename: the name that the client sent; empty if it sent none.
        data: the part's content.
    """

    filename: str
    data: bytes


# A call of a named tuple goes through a function in Python, and this one does not.
_part = functools.partial(tuple.__new__, Part)


def plain_parts(
    body: bytes, content_type: str | None, max_parts: int
) -> dict[str, list[Part]] | None:
    """Read a form that is written in the usual way.

    Args:
        body: the whole body.
        content_type: the request's content type, with the boundary.
        max_parts: the most parts.

    Returns:
        Each field's parts, in their order; None if anything in the form is unusual or
        wrong, or if there are more parts than ``max_parts``.
    """
    kind = _KIND.fullmatch(content_type or "")
    if kind is None:
        return None
    delimiter = b"\r\n--" + kind[1].encode()
    # The form begins with the first boundary, without the CRLF of the others.
    if not body.startswith(delimiter[2:]):
        return None
    place = len(delimiter) - 2
    parts: dict[str, list[Part]] = {}
    for _ in range(max_parts):
        # A boundary ends at ``place``.
        start = body.find(_END_OF_HEAD, place, place + _LONGEST_HEAD) + 4
        names = _names_in(body[place:start])
        if names is None:
            return None
        end = body.find(delimiter, start)
        if end < 0:
            return None
        name, filename = names
        part = _part((filename, body[start:end]))
        if name in parts:
            parts[name].append(part)
        else:
            parts[name] = [part]
        place = end + len(delimiter)
        if body.startswith(b"--", place):
            # Anything may follow the last boundary, and nobody reads it.
            return parts
    return None


# The heads of a client's forms are mostly the same, but for the names of files.
@functools.lru_cache(maxsize=256)
def _names_in(head: bytes) -> tuple[str, str] | None:
    """Return the names of the field and the file; None if the head is unusual."""
    found = _HEAD.fullmatch(head)
    if found is None:
        return None
    name, filename = found.groups(b"")
    return name.decode(), filename.decode()
