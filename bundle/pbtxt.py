"""Protobuf's text format, in which Triton describes a model: as dictionaries and lists.

The format is read without a definition of its messages, so a description with fields
that nobody here knows is read, too.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, NamedTuple

from bundle.errors import BundleError

# Descriptions are a few levels deep. The bound keeps a hostile one off the stack.
_MAX_DEPTH = 32

# The tokens of https://protobuf.dev/reference/protobuf/textformat-spec; blanks and
# comments are passed over. The loops give nothing back, so no text takes long.
_TOKEN = re.compile(
    r"""(?:\s++|\#[^\n]*+)*+
    (?:(?P<mark>[{}<>\[\]:,;])
    |(?P<text>"(?:[^"\\\n]|\\.)*+"|'(?:[^'\\\n]|\\.)*+')
    |(?P<word>[-+.\w/]++)
    |(?P<end>\Z))""",
    re.VERBOSE,
)
_ENDS = {"{": "}", "<": ">"}
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_ESCAPE = re.compile(
    rb"\\(?:([0-7]{1,3})|[xX]([0-9A-Fa-f]{1,2})"
    rb"|u([0-9A-Fa-f]{4})|U([0-9A-Fa-f]{8})|(.))"
)
_ESCAPES = {
    b"a": b"\a",
    b"b": b"\b",
    b"f": b"\f",
    b"n": b"\n",
    b"r": b"\r",
    b"t": b"\t",
    b"v": b"\v",
    **{sign: sign for sign in (b"?", b"\\", b"'", b'"')},
}
# The digits of a whole number of 64 bits, and the base that each form has.
_WHOLES = (
    (re.compile(r"-?(?:0|[1-9][0-9]{0,19})"), 10),
    (re.compile(r"-?0[xX][0-9A-Fa-f]{1,16}"), 16),
    (re.compile(r"-?0[0-7]{1,22}"), 8),
)


def read_pbtxt(text: str, source: str) -> dict[str, list[Any]]:
    """Read a message in protobuf's text format.

    Args:
        text: the text.
        source: the file's name, which begins each sentence.

    Returns:
        The values of each field, in their order, because any field may come several
        times: a dictionary for a message, an int for a whole number, and a str for a
        text and for any other word. The name of an extension keeps its brackets.

    Raises:
        BundleError: the text is not in the format.
    """
    return _Reader(text, source).message("", _MAX_DEPTH)


class _Token(NamedTuple):
    kind: str
    text: str


_LIST = _Token("mark", "[")
_LIST_END = _Token("mark", "]")
_COLON = _Token("mark", ":")
_COMMA = _Token("mark", ",")
_SEPARATORS = (_COMMA, _Token("mark", ";"))
_MINUS = _Token("word", "-")


class _Reader:
    """Reads messages from a text, and knows the next token before it takes it."""

    def __init__(self, text: str, source: str) -> None:
        self._tokens = _tokens(text, source)
        self._source = source
        self._next = next(self._tokens)

    def message(self, end: str, depth: int) -> dict[str, list[Any]]:
        """Read fields up to a message's end; an empty ``end`` is the text's."""
        if not depth:
            raise BundleError(f"{self._source} is nested more than {_MAX_DEPTH} deep")
        message: dict[str, list[Any]] = {}
        last = _Token("mark", end) if end else _Token("end", "")
        while self._next != last:
            name = self._name()
            values = message.setdefault(name, [])
            has_colon = self._take_if(_COLON)
            if not has_colon and self._next.text not in ("{", "<", "["):
                raise BundleError(f"{self._source}: no value follows {name[:40]!r}")
            values += self._values(depth)
            if self._next in _SEPARATORS:
                self._take()
        self._take()
        return message

    def _take(self) -> _Token:
        token = self._next
        if token.kind != "end":
            self._next = next(self._tokens)
        return token

    def _take_if(self, token: _Token) -> bool:
        is_next = self._next == token
        if is_next:
            self._take()
        return is_next

    def _name(self) -> str:
        if self._take_if(_LIST):
            # An extension, or the type of a message of any type.
            parts = []
            while self._next.kind == "word":
                parts.append(self._take().text)
            if parts and self._take_if(_LIST_END):
                return f"[{''.join(parts)}]"
        elif self._next.kind == "word" and _NAME.fullmatch(self._next.text):
            return self._take().text
        raise BundleError(
            f"{self._source} has {self._next.text[:40]!r} where a field's name belongs"
        )

    def _values(self, depth: int) -> list[Any]:
        """Read one value, or a list of values."""
        if not self._take_if(_LIST):
            return [self._value(depth)]
        values: list[Any] = []
        if self._take_if(_LIST_END):
            return values
        while True:
            values.append(self._value(depth))
            if self._take_if(_LIST_END):
                return values
            if not self._take_if(_COMMA):
                raise BundleError(
                    f"{self._source} has {self._next.text[:40]!r} where a comma or ']'"
                    " belongs"
                )

    def _value(self, depth: int) -> dict[str, list[Any]] | int | str:
        token = self._take()
        if token.kind == "mark" and token.text in _ENDS:
            return self.message(_ENDS[token.text], depth - 1)
        if token.kind == "text":
            parts = [token.text]
            while self._next.kind == "text":  # neighbours are one text
                parts.append(self._take().text)
            return self._text(parts)
        if token == _MINUS and self._next.kind == "word":
            token = _Token("word", "-" + self._take().text)
        if token.kind == "word":
            for form, base in _WHOLES:
                if form.fullmatch(token.text):
                    return int(token.text, base)
            return token.text
        raise BundleError(
            f"{self._source} has {token.text[:40]!r} where a value belongs"
        )

    def _text(self, parts: list[str]) -> str:
        data = b"".join(
            _ESCAPE.sub(self._unescaped, part[1:-1].encode()) for part in parts
        )
        # A field of bytes may hold any, and none of those is used.
        return data.decode(errors="replace")

    def _unescaped(self, found: re.Match[bytes]) -> bytes:
        octal, hexadecimal, short, long, sign = found.groups()
        if octal or hexadecimal:
            return bytes([int(octal, 8) & 255 if octal else int(hexadecimal, 16)])
        try:
            if short or long:
                return chr(int(short or long, 16)).encode()
            return _ESCAPES[sign]
        except (KeyError, ValueError, OverflowError):
            raise BundleError(
                f"{self._source} has the escape {found[0].decode(errors='replace')!r},"
                " which is none of the format"
            ) from None


def _tokens(text: str, source: str) -> Iterator[_Token]:
    at = 0
    while True:
        found = _TOKEN.match(text, at)
        if found is None:
            line = text.count("\n", 0, at) + 1
            raise BundleError(f"{source} cannot be read at line {line}")
        kind = found.lastgroup or "end"
        yield _Token(kind, found[kind])
        if kind == "end":
            return
        at = found.end()
