"""JSON Schemas, made of the types that the code reads and writes."""

from __future__ import annotations

import dataclasses
import types
import typing
from collections.abc import Mapping, Sequence
from typing import Any, Literal, NotRequired, TypeAlias, Union, is_typeddict

from runtime.http.openapi import docstring

Schema: TypeAlias = dict[str, Any]

_PLAIN: dict[object, Schema] = {
    Any: {},
    object: {},
    bool: {"type": "boolean"},
    int: {"type": "integer"},
    float: {"type": "number"},
    str: {"type": "string"},
    None: {"type": "null"},
    types.NoneType: {"type": "null"},
    # ``format`` lets the page at /docs offer to choose a file.
    bytes: {
        "type": "string",
        "format": "binary",
        "contentMediaType": "application/octet-stream",
    },
}


class Or:
    """One of several types or schemas.

    Args:
        kinds: the types and schemas.
    """

    def __init__(self, *kinds: object) -> None:
        self.kinds = kinds


class And:
    """A JSON object with the keys of several types.

    Args:
        kinds: the types.
    """

    def __init__(self, *kinds: object) -> None:
        self.kinds = kinds


class ListOf:
    """A list whose items have a type or a schema.

    Args:
        kind: the type or schema.
    """

    def __init__(self, kind: object) -> None:
        self.kind = kind


@dataclasses.dataclass(frozen=True)
class Partial:
    """A JSON object in which each field of a dataclass may be left out or be null.

    Attributes:
        of: the dataclass.
        required: the fields that must be there.
        without: the fields that are no keys of the JSON.
    """

    of: type
    required: tuple[str, ...] = ()
    without: tuple[str, ...] = ()


class Schemas:
    """Makes the schemas of types, and keeps those that have a name.

    Attributes:
        components: the schema of each class, by the class's name.
    """

    def __init__(self) -> None:
        self.components: dict[str, Schema] = {}
        self._classes: dict[str, object] = {}

    def of(self, kind: object) -> Schema:
        """Return the schema of a type; a class's is a reference to its component.

        Args:
            kind: a type; one of the classes above; or a dictionary, which is a schema
                already.

        Raises:
            TypeError: no schema is known for it, or another class has its name.
        """
        if isinstance(kind, dict):
            return kind
        if isinstance(kind, Or):
            return {"anyOf": [self.of(one) for one in kind.kinds]}
        if isinstance(kind, And):
            return {"allOf": [self.of(one) for one in kind.kinds]}
        if isinstance(kind, ListOf):
            return {"type": "array", "items": self.of(kind.kind)}
        if isinstance(kind, Partial):
            return self._named(kind.of.__name__, kind)
        if isinstance(kind, typing.Hashable) and kind in _PLAIN:
            return {**_PLAIN[kind]}
        if isinstance(kind, type) and (
            is_typeddict(kind) or dataclasses.is_dataclass(kind)
        ):
            return self._named(kind.__name__, kind)
        return self._of_generic(kind)

    def _of_generic(self, kind: object) -> Schema:
        origin, arguments = typing.get_origin(kind), typing.get_args(kind)
        if origin is NotRequired:
            return self.of(arguments[0])
        if origin in (Union, types.UnionType):
            return {"anyOf": [self.of(argument) for argument in arguments]}
        if origin is Literal:
            return {"enum": [*arguments]}
        if origin in (dict, Mapping):
            return {"type": "object", "additionalProperties": self.of(arguments[1])}
        if origin in (list, Sequence) or (origin is tuple and arguments[1:] == (...,)):
            return self.of(ListOf(arguments[0]))
        if origin is tuple:
            return {
                "type": "array",
                "prefixItems": [self.of(argument) for argument in arguments],
                "minItems": len(arguments),
                "maxItems": len(arguments),
            }
        raise TypeError(f"{kind!r} has no schema")

    def _named(self, name: str, kind: Any) -> Schema:
        if self._classes.setdefault(name, kind) != kind:
            raise TypeError(f"two classes are called {name!r}")
        if name not in self.components:
            # A class may hold itself.
            self.components[name] = {}
            self.components[name] = (
                self._of_partial(kind)
                if isinstance(kind, Partial)
                else self._of_class(kind)
            )
        return {"$ref": f"#/components/schemas/{name}"}

    def _of_class(self, kind: type) -> Schema:
        hints = typing.get_type_hints(kind, include_extras=True)
        # The evaluated hints tell it; ``__required_keys__`` sees texts alone.
        is_total = getattr(kind, "__total__", True)
        required = [
            name
            for name, hint in hints.items()
            if is_total and typing.get_origin(hint) is not NotRequired
        ]
        return _object(kind, {name: self.of(hints[name]) for name in hints}, required)

    def _of_partial(self, partial: Partial) -> Schema:
        hints = typing.get_type_hints(partial.of, include_extras=True)
        properties = {}
        for name, hint in hints.items():
            if name in partial.without:
                continue
            is_nested = isinstance(hint, type) and dataclasses.is_dataclass(hint)
            schema = self.of(Partial(hint) if is_nested else hint)
            if name not in partial.required:
                schema = {"anyOf": [schema, {"type": "null"}]}
            properties[name] = schema
        return _object(partial.of, properties, [*partial.required])


def _object(kind: type, properties: dict[str, Schema], required: list[str]) -> Schema:
    """Make the schema of an object, whose unknown keys are passed over."""
    meanings = docstring.attributes(kind)
    return {
        "type": "object",
        "description": docstring.summary(kind),
        "properties": {
            name: schema | {"description": _sentence(meanings[name])}
            if name in meanings
            else schema
            for name, schema in properties.items()
        },
    } | ({"required": required} if required else {})


def _sentence(text: str) -> str:
    """Write the meaning of an attribute as a sentence."""
    text = text.replace("``", "`")
    return f"{text[0].upper()}{text[1:].rstrip('.')}."
