"""Bytes in JSON: the object ``{"b64": "…"}``."""

from __future__ import annotations

import base64
import binascii
from typing import Any

from runtime.errors import InvalidInput
from runtime.prediction.images import MOST_PICTURES
from runtime.wire.tfs.text import shown

KEY = "b64"
_BLANKS = str.maketrans("", "", " \t\r\n")


def is_base64(value: object) -> bool:
    """Tell whether a value stands for bytes."""
    return isinstance(value, dict) and len(value) == 1 and type(value.get(KEY)) is str


def bytes_of(value: dict[str, Any]) -> bytes:
    """Return the bytes for which an object stands; padding and blanks do not matter.

    Raises:
        InvalidInput: the object is another one, or its text is no base64.
    """
    if not is_base64(value):
        raise InvalidInput(
            f"JSON Value: {shown(value)} not formatted correctly for base64 data"
        )
    text: str = value[KEY].translate(_BLANKS).rstrip("=")
    try:
        return base64.b64decode(text + "=" * (-len(text) % 4), validate=True)
    except (binascii.Error, ValueError):
        raise InvalidInput("Unable to base64 decode") from None


def text_of(value: object) -> object:
    """Return the text for which an object stands; any other value stays as it is.

    Raises:
        InvalidInput: its bytes are no UTF-8, or see ``bytes_of``.
    """
    if not isinstance(value, dict):
        return value
    try:
        return bytes_of(value).decode()
    except UnicodeDecodeError:
        raise InvalidInput(
            "the base64 data is not a text in UTF-8, and the model takes texts"
        ) from None


def files_of(objects: list[Any]) -> list[bytes]:
    """Return the bytes of encoded pictures.

    Raises:
        InvalidInput: there are too many, or one is no object of base64.
    """
    if len(objects) > MOST_PICTURES:
        raise InvalidInput(
            f"the request holds {len(objects)} pictures; send 1 to {MOST_PICTURES}"
        )
    return [bytes_of(value) for value in objects]
