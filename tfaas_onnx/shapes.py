"""The shapes of a server's replies, as far as the client reads them.

The server may be anybody's. The client gives no reply of another shape to its caller.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import UnionType
from typing import Union

from tfaas_onnx.names import MODEL_NAME


@dataclass(frozen=True)
class Fields:
    """An object of these keys, among others.

    Attributes:
        required: the keys that must be there.
        optional: the keys that may be left out or be null.
    """

    required: Mapping[str, Shape]
    optional: Mapping[str, Shape] = field(default_factory=dict)


@dataclass(frozen=True)
class Values:
    """An object with any keys, whose values have one shape."""

    shape: Shape


@dataclass(frozen=True)
class Items:
    """A list whose items have one shape."""

    shape: Shape


# A shape may be a type or a pattern of a text. ``int`` does not stand for ``bool``.
Shape = Union[type, UnionType, "re.Pattern[str]", Fields, Values, Items]

_STATE: dict[str, Shape] = {
    "backend": str,
    "device": str,
    "error": str,
    "fallback_reason": str,
    "warm_up": str,
    "variant": str,
    "variant_reason": str,
}
_TENSOR = Fields({"name": str, "dtype": str, "shape": Items(int | None)})

LISTED = Items(
    Fields(
        {"name": MODEL_NAME},
        {
            "serves": int,
            "versions": Items(int),
            "version_labels": Values(int),
            **_STATE,
        },
    )
)
VERSION = Fields(
    {"name": MODEL_NAME, "version": int, "bytes": int},
    {
        "timestamp": str,
        "labels": Items(str),
        "proved": bool,
        "parity": Fields({}),
        "variants": Values(Fields({})),
        "sample": Fields({"right": int, "images": int}),
        "inputs": Items(_TENSOR),
        "outputs": Items(_TENSOR),
        "classes": Items(str),
        "files": Items(Fields({"name": str, "bytes": int})),
        **_STATE,
    },
)
MODEL = Fields({"serves": int, "labels": Values(int), "versions": Items(VERSION)})
PUBLISHED = Fields(
    {"name": MODEL_NAME, "version": int, "backend": str},
    {"serves": int, "fallback_reason": str, "warm_up": str},
)
KEPT = Fields({"model": str, "label": str, "items": int})
DELETED = Fields({"deleted": str})
DELETED_VERSION = Fields({"deleted": str, "version": int}, {"left": str})
LABEL = Fields({"label": str, "version": int})
LABELS = Values(int)
STATUS = Fields({"version": str, "models": Items(str)})
READY = Fields({"status": str}, {"reasons": Items(str)})
METADATA = Fields(
    {
        "inputs": Items(
            Fields({"name": str, "datatype": str, "shape": Items(int)}),
        )
    }
)
IMAGE = Fields(
    {"labels": Items(Fields({"label": str, "probability": int | float | None}))}
)
INFERRED = Fields(
    {
        "outputs": Items(
            Fields(
                {
                    "name": str,
                    "datatype": str,
                    "shape": Items(int),
                    "parameters": Fields({"binary_data_size": int}),
                }
            )
        )
    }
)


def find_problem(content: object, shape: Shape, name: str = "") -> str:
    """Tell what is wrong with a reply, such as ``without 'x'``; empty if nothing is."""
    if isinstance(shape, Fields):
        if not isinstance(content, dict):
            return _wrong(name)
        for key in shape.required:
            if key not in content:
                return f"without {key!r}"
        inner = [
            (content[key], expected, key)
            for key, expected in (*shape.required.items(), *shape.optional.items())
            if key in shape.required or content.get(key) is not None
        ]
    elif isinstance(shape, Values):
        if not isinstance(content, dict):
            return _wrong(name)
        inner = [(value, shape.shape, name) for value in content.values()]
    elif isinstance(shape, Items):
        if not isinstance(content, list):
            return _wrong(name)
        inner = [(item, shape.shape, name) for item in content]
    else:
        return "" if _is_one(content, shape) else _wrong(name)
    return next(filter(None, (find_problem(*part) for part in inner)), "")


def _is_one(content: object, shape: type | UnionType | re.Pattern[str]) -> bool:
    if isinstance(shape, re.Pattern):
        return isinstance(content, str) and shape.fullmatch(content) is not None
    if isinstance(content, bool):
        return shape is bool
    return isinstance(content, shape)


def _wrong(name: str) -> str:
    return f"with a wrong {name!r}" if name else "with something else"
