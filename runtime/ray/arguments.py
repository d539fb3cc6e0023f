"""The arguments of ``serve run runtime.ray:app``, and of Serve's config files."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import fields
from typing import Any

from runtime.config import Config, ConfigError, key, load_settings, parse
from runtime.ray.scale import Scale


def read_arguments(
    arguments: Mapping[str, Any],
) -> tuple[Config, Scale, tuple[str, ...]]:
    """Read the settings: an argument goes before a variable and before config.json.

    Args:
        arguments: keys of config.json, ``config`` for such a file, and the keys of
            ``Scale``. A value is a text, as ``serve run`` gives it, or of its own kind.

    Returns:
        The settings, the replicas, and sentences on settings that are seldom meant.

    Raises:
        ConfigError: an argument is unknown or wrong.
    """
    left = dict(arguments)
    file = left.pop("config", None)
    if file is not None and not isinstance(file, str):
        raise ConfigError("'config' must be the path of a file")
    scale = {
        field.name: _number(key(field.name), left.pop(key(field.name)))
        for field in fields(Scale)
        if key(field.name) in left
    }
    known = {key(field.name): field.name for field in fields(Config)}
    if unknown := left.keys() - known:
        every = ", ".join(["config", *map(key, Scale.__dataclass_fields__), *known])
        raise ConfigError(f"unknown argument {min(unknown)!r}; there are {every}")
    given = {
        known[name]: parse(known[name], value) if isinstance(value, str) else value
        for name, value in left.items()
    }
    settings = load_settings(os.environ, given, file)
    return settings.config, Scale(**scale), settings.doubts


def _number(name: str, value: Any) -> Any:
    if isinstance(value, str):
        try:
            value = json.loads(value)
        except ValueError:
            value = None
    is_whole = name in ("minReplicas", "maxReplicas")
    if isinstance(value, bool) or not isinstance(
        value, int if is_whole else int | float
    ):
        raise ConfigError(f"{name!r} must be a {'whole ' * is_whole}number")
    return value
