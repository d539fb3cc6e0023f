"""Protobuf's text format, in which Triton describes a model: as dictionaries and lists.

The format is read without a definition of its messages, so a description with fields
that nobody here knows is read, too.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from bundle.errors import BundleError

# Descriptions are a few levels deep. The bound keeps a hostile one off the stack.
_MAX_DEPTH = 32

# The tokens of https://protobuf.dev/reference/protobuf/textformat-spec; blanks and
# comments are passed over. The loops give nothing back, so no text takes long.
_TOKEN = re.compile(
    r"""(?:[\s,;]++|\#[^\n]*+)*+
    (?:(?P<mark>[{}<>\[\]:])
    |(?P<text>"(?:[^"\\\n]|\\.)*"|'(?:[^'\\\n]|\\.)*')
    |(?P<word>[-+.\w/]+)
    |(?P<end>\Z))""",
    re.VERBOSE,
)
_ENDS = {"{": "}", "<": ">"}
_ESCAPE = re.compile(r"\\(?:([0-7]{1,3})|x([0-9A-Fa-f]{1,2})|(.))")
_ESCAPES = {"a": "\a", "b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v"}
_WHOLE = re.compile(r"-?(0|[1-9][0-9]{0,18})")


def read_pbtxt(text: str, source: str) -> dict[str, list[Any]]:
    """Read a message in protobuf's text format.

    Args:
        text: the text.
        source: the file's name, which begins each sentence.

    Returns:
        The values of each field, in their order, because any field may come several
        times: a dictionary for a message, an int for a whole number, and a str for a
        text and for any other word.

    Raises:
        BundleError: the text is not in the format.
    """
    tokens = _tokens(text, source)
    return _message(tokens, "", source, _MAX_DEPTH)


_Token = tuple[str, str]  # its kind, and its text


def _tokens(text: str, source: str) -> Iterator[_Token]:
    at = 0
    while True:
        found = _TOKEN.match(text, at)
        if found is None:
            line = text.count("\n", 0, at) + 1
            raise BundleError(f"{source} cannot be read at line {line}")
        kind = found.lastgroup or "end"
        yield kind, found[kind]
        if kind == "end":
            return
        at = found.end()


def _message(
    tokens: Iterator[_Token], end: str, source: str, depth: int
) -> dict[str, list[Any]]:
    if not depth:
        raise BundleError(f"{source} is nested more than {_MAX_DEPTH} deep")
    message: dict[str, list[Any]] = {}
    while True:
        kind, name = next(tokens)
        if (kind == "mark" and name == end) or (kind == "end" and not end):
            return message
        if kind != "word":
            raise BundleError(
                f"{source} has {name[:40]!r} where a field's name belongs"
            )
        token = next(tokens)
        if token == ("mark", ":"):
            token = next(tokens)
        elif token[0] != "mark" or token[1] not in "{<[":
            raise BundleError(f"{source}: no value follows {name[:40]!r}")
        values = message.setdefault(name, [])
        if token != ("mark", "["):
            values.append(_value(token, tokens, source, depth))
            continue
        while (token := next(tokens)) != ("mark", "]"):
            values.append(_value(token, tokens, source, depth))


def _value(
    token: _Token, tokens: Iterator[_Token], source: str, depth: int
) -> dict[str, list[Any]] | int | str:
    kind, text = token
    if kind == "mark" and text in _ENDS:
        return _message(tokens, _ENDS[text], source, depth - 1)
    if kind == "word":
        return int(text) if _WHOLE.fullmatch(text) else text
    if kind == "text":
        return _ESCAPE.sub(_unescaped, text[1:-1])
    raise BundleError(f"{source} has {text[:40]!r} where a value belongs")


def _unescaped(found: re.Match[str]) -> str:
    octal, hexadecimal, letter = found.groups()
    if octal or hexadecimal:
        return chr(int(octal, 8) if octal else int(hexadecimal, 16))
    return _ESCAPES.get(letter, letter)
