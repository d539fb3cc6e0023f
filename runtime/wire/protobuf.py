"""Reading and writing a protobuf message, as methods of several services have it."""

from __future__ import annotations

from typing import TypeVar

from google.protobuf.message import DecodeError, Message

from runtime.errors import InvalidInput

_Kind = TypeVar("_Kind", bound=Message)


def read_message(kind: type[_Kind], data: bytes) -> _Kind:
    """Read the bytes of a message.

    Raises:
        InvalidInput: they are no such message.
    """
    try:
        message: _Kind = kind.FromString(data)
    except DecodeError:
        raise InvalidInput(
            f"the request is no protobuf message {kind.DESCRIPTOR.full_name}"
        ) from None
    return message


def to_bytes(message: Message) -> bytes:
    """Write a message."""
    written: bytes = message.SerializeToString()
    return written
