"""A walk through messages by their descriptors, not by a list of known fields."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from functools import lru_cache
from typing import Any, Literal

from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.empty_pb2 import Empty
from google.protobuf.message import DecodeError
from google.protobuf.unknown_fields import UnknownFieldSet

# A field's name, and the way in which it holds messages.
_Way = tuple[str, Literal["one", "list", "map"]]
_Ways = dict[str, tuple[_Way, ...]]

# Fields may be nested so deep; protobuf itself reads no more than this.
_DEPTH = 100
# Protobuf's wire type for values with a length: texts, bytes and messages.
_LENGTH = 2
_FEW = 16


class TooDeep(Exception):
    """Fields are nested deeper than protobuf reads them."""


def walk(message: Any, *kinds: Any) -> Iterator[Any]:
    """Give every message of some types, in any field, at any depth.

    Fields that cannot lead to such a message are not touched: a constant of 100 MB
    takes no more time than one of four bytes.

    Args:
        message: the message to begin with; it counts, too.
        kinds: the classes of the messages.
    """
    wanted = frozenset(kind.DESCRIPTOR.full_name for kind in kinds)
    ways = _ways(message.DESCRIPTOR, wanted)
    waiting = [message]
    while waiting:
        found = waiting.pop()
        name = found.DESCRIPTOR.full_name
        if name in wanted:
            yield found
        for field, how in ways[name]:
            if how == "list":
                waiting.extend(getattr(found, field))
            elif how == "map":
                waiting.extend(getattr(found, field).values())
            elif found.HasField(field):
                waiting.append(getattr(found, field))


@lru_cache(maxsize=16)
def _ways(root: Descriptor, wanted: frozenset[str]) -> _Ways:
    """Return, for each type below one, the fields that lead to the wanted types."""
    types: dict[str, Descriptor] = {}
    waiting = [root]
    while waiting:
        kind = waiting.pop()
        if kind.full_name not in types:
            types[kind.full_name] = kind
            waiting += [held for field in kind.fields if (held := _held(field))]
    leading = {name for name in types if name in wanted}
    while True:
        more = {
            name
            for name, kind in types.items()
            if any(
                held.full_name in leading
                for field in kind.fields
                if (held := _held(field))
            )
        }
        if more <= leading:
            break
        leading |= more
    return {
        name: tuple(
            (field.name, _how(field))
            for field in kind.fields
            if (held := _held(field)) and held.full_name in leading
        )
        for name, kind in types.items()
    }


def _held(field: FieldDescriptor) -> Descriptor | None:
    """Return the type of a field's messages; for a map, the type of its values."""
    if _how(field) == "map":
        return _held(field.message_type.fields_by_name["value"])
    return field.message_type


def _how(field: FieldDescriptor) -> Literal["one", "list", "map"]:
    if not field.is_repeated:
        return "one"
    entry = field.message_type
    return "map" if entry is not None and entry.GetOptions().map_entry else "list"


def unknown_field(message: Any) -> str:
    """Return the first field that the definitions do not have, at any depth.

    Returns:
        Its number and its message's type, such as ``field 99 of NodeProto``; else an
        empty text.
    """
    whole = message.SerializeToString()
    known = type(message).FromString(whole)
    known.DiscardUnknownFields()
    # Nearly always there is none, and this comparison, in C, tells it.
    if len(known.SerializeToString()) == len(whole):
        return ""
    for found in _all(message):
        for field in UnknownFieldSet(found):
            return f"field {field.field_number} of {found.DESCRIPTOR.name}"
    return "a field"


def _all(message: Any) -> Iterator[Any]:
    waiting = [message]
    while waiting:
        found = waiting.pop()
        yield found
        for field, value in found.ListFields():
            if _held(field):
                how = _how(field)
                waiting += (
                    [value]
                    if how == "one"
                    else value.values()
                    if how == "map"
                    else value
                )


def named(raw: bytes, names: Collection[bytes]) -> bytes:
    """Return the first of some names that a message of any type holds; else none.

    Written texts, bytes and messages look alike. Each is taken for all three, at any
    depth. So a name is found in unknown fields, in bytes that hold messages, and in
    ``Any``. ``name:0`` and ``^name`` count as ``name``.

    Args:
        raw: the bytes of a message.
        names: the names to look for.

    Raises:
        TooDeep: fields are nested without end.
    """
    sought = frozenset(names)
    # To look for each of many names takes longer than to go through all fields.
    few = names if len(names) <= _FEW else ()
    # Nearly always there is none, and this search, in C, tells it.
    if not names or (few and not any(name in raw for name in few)):
        return b""
    shortest = min(map(len, names))
    waiting = [(raw, 0)]
    while waiting:
        content, depth = waiting.pop()
        for held in _inside(content):
            name = held.removeprefix(b"^").partition(b":")[0]
            for spelled in (held, name):
                if spelled in sought:
                    return spelled
            if len(held) > shortest and (not few or any(n in held for n in few)):
                if depth == _DEPTH:
                    raise TooDeep
                waiting.append((held, depth + 1))
    return b""


def _inside(content: bytes) -> Iterator[bytes]:
    """Give the fields of bytes in a possible message; nothing if it is not one."""
    try:
        fields = UnknownFieldSet(Empty.FromString(content))
    except DecodeError:
        return
    groups = [fields]
    while groups:
        for field in groups.pop():
            if field.wire_type == _LENGTH:
                yield field.data
            elif isinstance(field.data, UnknownFieldSet):
                groups.append(field.data)
