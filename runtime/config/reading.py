"""Reading the settings: from config.json, the environment and flags."""

from __future__ import annotations

import difflib
import json
import os
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

from runtime.config.fields import Config, ConfigError, key

FILE_NAME = "config.json"


# The variable names another file than ./config.json, so that a service can start from
# any folder.
VARIABLE = "TFAAS_CONFIG"
PREFIX = "TFAAS_"


@dataclass(frozen=True)
class Settings:
    """A config, with the source of each value.

    Attributes:
        config: the values.
        sources: the source of each field: ``default``, a file, a variable or a flag.
        doubts: sentences on keys of the file that are taken in another way than they
            are written.
    """

    config: Config
    sources: Mapping[str, str]
    doubts: tuple[str, ...] = ()


def load_config(environ: Mapping[str, str] = os.environ) -> Config:
    """Read the config alone; see ``load_settings``."""
    return load_settings(environ).config


def load_settings(
    environ: Mapping[str, str] = os.environ,
    flags: Mapping[str, Any] | None = None,
    file: str | None = None,
) -> Settings:
    """Read config.json of the working folder, or the file that $TFAAS_CONFIG names.

    Args:
        environ: the variables; ``TFAAS_<KEY>`` goes before the file's value, so
            TFAAS_MODEL_DIR goes before modelDir.
        flags: JSON values by field name; they go before both.
        file: the file that ``--config`` names; it goes before the variable's.

    Raises:
        ConfigError: the file is not JSON, or a setting is unknown or of the wrong kind.
    """
    path, content = _read_file(environ, file)
    doubts: list[str] = []
    settings = _settings(
        [
            *((path, *setting) for setting in _from_json(content, path, doubts)),
            *_from_environment(environ),
            *(("flag", option(name), name, v) for name, v in (flags or {}).items()),
        ]
    )
    return replace(settings, doubts=tuple(doubts))


def config_from_json(content: Mapping[str, Any], source: str = FILE_NAME) -> Config:
    """Check a config's content; ``source`` begins each sentence.

    Raises:
        ConfigError: a key is unknown, of the wrong kind, or out of its range.
    """
    given = [(source, *setting) for setting in _from_json(content, source, [])]
    return _settings(given).config


def variable(name: str) -> str:
    """Return a field's variable: ``model_dir`` has ``TFAAS_MODEL_DIR``."""
    return PREFIX + name.upper()


def option(name: str) -> str:
    """Return a field's flag: ``model_dir`` has ``--model-dir``."""
    return "--" + name.replace("_", "-")


# A value's source, its name in the sentence of an error, its field, and the value.
_Given = tuple[str, str, str, Any]


def _settings(given: Iterable[_Given]) -> Settings:
    checks = {f.name: f.metadata["check"] for f in fields(Config)}
    values: dict[str, Any] = {}
    sources = dict.fromkeys(checks, "default")
    for source, shown, name, value in given:
        try:
            values[name] = checks[name](value)
        except ValueError as ex:
            raise ConfigError(f"{shown} {ex}") from None
        sources[name] = shown if source == "flag" else source
    config = Config(**values)
    for one, other in (("server_key", "server_crt"), ("server_crt", "server_key")):
        if getattr(config, one) and not getattr(config, other):
            raise ConfigError(
                f"{key(one)!r} is set and {key(other)!r} is not; TLS needs both"
            )
    return Settings(config, sources)


def config_path(environ: Mapping[str, str] = os.environ) -> Path:
    """Return the path of the settings' file, which need not exist."""
    return Path(environ.get(VARIABLE) or FILE_NAME)


def _read_file(
    environ: Mapping[str, str], file: str | None
) -> tuple[str, dict[str, Any]]:
    named = file or environ.get(VARIABLE)
    path = Path(file) if file else config_path(environ)
    try:
        content = json.loads(path.read_bytes(), object_pairs_hook=_object)
    except FileNotFoundError:
        if named:
            source = "--config" if file else f"${VARIABLE}"
            raise ConfigError(f"{source} names {named}, which is not there") from None
        return str(path), {}
    except OSError as ex:
        raise ConfigError(f"{path} cannot be read: {ex.strerror}") from ex
    except _Twice as ex:
        raise ConfigError(f"{path}: {ex}") from ex
    except (ValueError, RecursionError) as ex:
        raise ConfigError(f"{path} is not JSON: {ex}") from ex
    if not isinstance(content, dict):
        raise ConfigError(f"{path} must hold one JSON object")
    return str(path), content


class _Twice(Exception):
    """A JSON object has a key twice; all values but the last would be lost."""


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    content = dict(pairs)
    if len(content) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise _Twice(f"{twice[:64]!r} stands there twice; take one of them out")
    return content


# Keys of TFaaS that have no effect here, in small letters, and what does the same.
_UNUSED = {
    "auth": "'writeTokens' and 'predictTokens' say who may ask",
    "logformatter": "'logFormat' has the format of the log",
    "updatedns": "clients show tokens here, and no certificates",
}


def _from_json(
    content: Mapping[str, Any], source: str, doubts: list[str]
) -> Iterator[tuple[str, str, Any]]:
    """Give each setting of a file, and write what is doubtful about it into a list.

    A file of TFaaS is taken as it is: Go's JSON takes a key in any case, and TFaaS
    reads a ``cacheLimit`` of 0 as its default.
    """
    known = {key(f.name): f.name for f in fields(Config)}
    in_any_case = {name.lower(): name for name in known}
    spellings: dict[str, str] = {}
    for written, value in content.items():
        shown = f"{source}: {written!r}"
        if written.lower() in _UNUSED:
            doubts.append(f"{shown} has no effect: {_UNUSED[written.lower()]}")
            continue
        name = written if written in known else in_any_case.get(written.lower())
        if name is None:
            raise ConfigError(
                f"{source}: unknown key {written!r}{_hint(written, known)}"
            )
        if (other := spellings.setdefault(name, written)) != written:
            raise ConfigError(
                f"{source}: {other!r} and {written!r} are one key; take one out"
            )
        if name != written:
            doubts.append(f"{shown} is taken as {name!r}; write it so")
        field = known[name]
        if field == "cache_limit" and value == 0 and type(value) is int:
            value = Config.cache_limit
            doubts.append(f"{shown} is 0, which is taken as {value}, as in TFaaS")
        yield shown, field, value


# Kubernetes sets these variables in all containers beside a Service whose name is
# tfaas or begins with tfaas- (tfaas-grpc sets TFAAS_GRPC_PORT to an address).
_KUBERNETES = re.compile(rf"{PREFIX}(\w+_)?(SERVICE_(HOST|PORT)|PORT_\d+_).*")


def _from_environment(environ: Mapping[str, str]) -> Iterator[_Given]:
    known = {variable(f.name): f for f in fields(Config)}
    for name, text in sorted(environ.items()):
        if not name.startswith(PREFIX) or name == VARIABLE:
            continue
        if _KUBERNETES.fullmatch(name) or (
            name.endswith("PORT") and text.startswith("tcp://")
        ):
            continue
        if name not in known:
            raise ConfigError(f"unknown variable ${name}{_hint(name, known)}")
        yield f"${name}", f"${name}", known[name].name, parse(known[name].name, text)


def parse(name: str, text: str) -> Any:
    """Read the text of a variable or a flag as a JSON value of its field's kind.

    A text that cannot be read is returned as it is, and the field's check refuses it.
    """
    default = getattr(Config(), name)
    if isinstance(default, str | Path):
        return text
    if isinstance(default, tuple) and not text.lstrip().startswith("["):
        return [part.strip() for part in text.split(",") if part.strip()]
    if isinstance(default, bool) and text in ("0", "1"):
        return text == "1"
    try:
        return json.loads(text, object_pairs_hook=_object)
    except _Twice as ex:
        raise ConfigError(f"{key(name)!r}: {ex}") from ex
    except (ValueError, RecursionError):
        return text


def _hint(name: str, known: Iterable[str]) -> str:
    close = difflib.get_close_matches(name, known, n=1)
    return (
        f", did you mean {close[0]!r}?" if close else f"; there are {', '.join(known)}"
    )
