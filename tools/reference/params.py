"""params.json: its keys, from the fields that the bundle reads."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import MISSING, Field, fields
from types import NoneType
from typing import Any, Literal, get_args, get_origin, get_type_hints

from bundle.params import Fit, Params, Preprocess
from runtime.http.openapi import docstring
from tools.reference.markdown import code, sentence, table

_HEADS = ("key", "type", "default", "meaning")
# The keys whose values are objects with keys of their own.
_OBJECTS: dict[str, type] = {"preprocess": Preprocess, "fit": Fit}
# It is the file's content, and no key of the file.
_OTHERS = ("stored",)


def block(arguments: Sequence[str]) -> str:
    """The table of params.json's keys, or of those of the key that is named."""
    of = _OBJECTS[arguments[0]] if arguments else Params
    meanings, kinds = docstring.attributes(of), get_type_hints(of)
    return table(
        _HEADS,
        [
            (
                code(field.name),
                _kind(kinds[field.name]),
                _default(field),
                sentence(meanings[field.name]),
            )
            for field in keys(of)
        ],
    )


def keys(of: type) -> list[Field[Any]]:
    """The fields that are keys of the file."""
    return [field for field in fields(of) if field.name not in _OTHERS]


def _kind(kind: Any) -> str:
    origin, inner = get_origin(kind), get_args(kind)
    if kind is bool:
        return "`true` or `false`"
    if kind in _OBJECTS.values() or origin is Mapping or (origin or kind) is Mapping:
        return "object"
    if kind in (int, float):
        return "whole number" if kind is int else "number"
    if kind is str:
        return "text"
    if origin is Literal:
        return " or ".join(code(json.dumps(choice)) for choice in inner if choice)
    if origin is tuple:
        return "list of texts" if inner[0] is str else "list of two whole numbers"
    # A union has None or the empty text in it, for a key that is not there.
    return " or ".join(
        said for part in inner if part is not NoneType and (said := _kind(part))
    )


def _default(field: Field[Any]) -> str:
    if field.default is MISSING and field.default_factory is MISSING:
        return "none: it must be there"
    if field.default in ("", (), None) or field.default_factory is not MISSING:
        return "none"
    if isinstance(field.default, Preprocess):
        return "see below"
    return code(json.dumps(field.default))
