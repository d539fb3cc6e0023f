"""config.json: its keys, from the fields of the service's settings."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import Field, fields
from pathlib import Path
from typing import Any, Literal, get_args, get_origin, get_type_hints

from runtime.cli.serve import as_json, serve
from runtime.config import Config, key, variable
from tools.reference.markdown import code, sentence, table

_HEADS = ("key", "type", "default", "variable and flag", "new value by", "meaning")
_UNITS = ((1 << 40, "TiB"), (1 << 30, "GiB"), (1 << 20, "MiB"))


def block(arguments: Sequence[str]) -> str:
    """A table of the keys that the arguments name."""
    known = {key(field.name): field for field in fields(Config)}
    return table(_HEADS, [_row(name, known[name]) for name in arguments])


def _row(name: str, field: Field[Any]) -> tuple[str, ...]:
    return (
        code(name),
        _kind(field),
        _default(field),
        f"{code(variable(field.name))}, {code(_flag(field.name))}",
        "SIGHUP" if field.metadata["hot"] else "restart",
        sentence(field.metadata["what"]),
    )


def _kind(field: Field[Any]) -> str:
    kind = get_type_hints(Config)[field.name]
    if get_origin(kind) is Literal:
        return " or ".join(code(json.dumps(choice)) for choice in get_args(kind))
    if kind == Path | str:
        return "path or URL"
    if kind is int:
        return f"whole number, {_range(field.metadata['check'])}"
    origin = get_origin(kind) or kind
    names = {
        bool: "`true` or `false`",
        float: "percentage, 0 to 100",
        str: "text",
        Path: "path",
        tuple: "list of texts",
        Mapping: "object",
    }
    return next(said for known, said in names.items() if issubclass(origin, known))


def _range(check: Callable[[Any], Any]) -> str:
    """The numbers that a check takes, from the sentence with which it refuses -1."""
    try:
        check(-1)
    except ValueError as ex:
        low, _, high = str(ex).rpartition("it must be ")[2].partition(" to ")
        return f"{_number(int(low))} to {_number(int(high))}"
    raise ValueError("a check takes -1, and the reference does not tell its range")


def _number(number: int) -> str:
    for size, unit in _UNITS:
        if number and number % size == 0:
            return f"{number // size} {unit}"
    return f"{number:,}"


def _default(field: Field[Any]) -> str:
    value = as_json(getattr(Config(), field.name))
    shown = code(json.dumps(value))
    if isinstance(value, int) and _number(value) != f"{value:,}":
        return f"{shown} ({_number(value)})"
    return shown


def _flag(name: str) -> str:
    of = next(option for option in serve.params if option.name == name)
    return "/".join([*of.opts, *of.secondary_opts])
