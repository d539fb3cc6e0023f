"""config.json: every tunable of the service, each with its reason.

TFaaS's own keys keep their names; a key is the field's name in camelCase. The trainer
and the exporter read ``modelDir`` here too, so that all three find the same store.
"""

from __future__ import annotations

import difflib
import json
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, Literal, cast, get_args

from bundle.errors import DomainError

FILE_NAME = "config.json"
# Names another file than ./config.json, so that a service can start from any folder.
VARIABLE = "TFAAS_CONFIG"

OnnxPolicy = Literal["prefer", "require", "off"]
Provider = Literal["auto", "cpu", "cuda"]


class ConfigError(DomainError):
    """config.json is wrong; the sentence names the key."""


@dataclass(frozen=True)
class Config:
    """The service's settings."""

    # TFaaS's port.
    port: int = 8083
    # Only this machine by default: uploads are not authenticated.
    host: str = "127.0.0.1"
    # The store, relative to the working folder, as in TFaaS.
    model_dir: Path = Path("models")
    # A prefix of every route, for a proxy that hands one path of a site over.
    base: str = ""
    # 0 warnings, 1 also what is loaded and published, 2 also debugging.
    verbose: int = 0
    # Log lines go here; empty is standard error.
    log_file: str = ""
    # Models kept in memory; the one unused longest goes first.
    cache_limit: int = 10
    # prefer: ONNX Runtime, and TensorFlow where ONNX cannot. require: ONNX Runtime or
    # an error. off: TensorFlow.
    onnx: OnnxPolicy = "prefer"
    # auto: CUDA if it truly works, else the CPU. cuda: CUDA or an error.
    provider: Provider = "auto"
    # waitress's. More do not help a small model, whose threads wait for Python's lock;
    # fewer would let some slow uploads hold every one.
    threads: int = 8
    # One prediction's body. A 16 Mpx camera JPEG has 10 MB.
    max_body_bytes: int = 32 << 20
    # An uploaded bundle, unpacked.
    max_upload_bytes: int = 1 << 30
    # TFaaS's keys that this service reads and does not need; see README.
    static_dir: str = "static"
    config_proto: str = ""
    server_key: str = ""
    server_crt: str = ""
    rate: str = ""
    monit_record: Mapping[str, Any] = field(default_factory=dict)


def load_config(environ: Mapping[str, str] = os.environ) -> Config:
    """Read config.json of the working folder, or the file that $TFAAS_CONFIG names.

    Raises:
        ConfigError: it is not JSON, or a key is unknown or of the wrong kind.
    """
    named = environ.get(VARIABLE)
    path = Path(named or FILE_NAME)
    try:
        content = json.loads(path.read_bytes())
    except FileNotFoundError:
        if named:
            raise ConfigError(
                f"${VARIABLE} names {named}, which is not there"
            ) from None
        return Config()
    except OSError as ex:
        raise ConfigError(f"{path} cannot be read: {ex.strerror}") from ex
    except (ValueError, RecursionError) as ex:
        raise ConfigError(f"{path} is not JSON: {ex}") from ex
    if not isinstance(content, dict):
        raise ConfigError(f"{path} must hold one JSON object")
    return config_from_json(content, str(path))


def config_from_json(content: Mapping[str, Any], source: str = FILE_NAME) -> Config:
    """Check a config's content; ``source`` begins each sentence.

    Raises:
        ConfigError: a key is unknown, of the wrong kind, or out of its range.
    """
    known = {_key(f.name): f for f in fields(Config)}
    values: dict[str, Any] = {}
    for key, value in content.items():
        if key not in known:
            close = difflib.get_close_matches(key, known, n=1)
            hint = (
                f", did you mean {close[0]!r}?"
                if close
                else f"; the keys are {', '.join(known)}"
            )
            raise ConfigError(f"{source}: unknown key {key!r}{hint}")
        name = known[key].name
        values[name] = _checked(f"{source}: {key!r}", name, value)
    config = Config(**values)
    if config.server_key or config.server_crt:
        # Answering in clear text where TLS was asked for would be the worst reply.
        raise ConfigError(
            f"{source}: 'serverKey' and 'serverCrt' are set, and this service does not"
            " speak TLS itself: leave them empty and put a TLS proxy in front"
        )
    return config


_RANGES = {
    "port": (0, 65535),
    "verbose": (0, 2),
    "cache_limit": (1, 1_000_000),
    "threads": (1, 1024),
    "max_body_bytes": (1, 1 << 40),
    "max_upload_bytes": (1, 1 << 40),
}
_BASE = re.compile(r"[A-Za-z0-9._~/-]*")
_CHOICES = {"onnx": get_args(OnnxPolicy), "provider": get_args(Provider)}


def _checked(where: str, name: str, value: object) -> object:
    if name in _RANGES:
        low, high = _RANGES[name]
        if isinstance(value, bool) or not isinstance(value, int):
            raise ConfigError(f"{where} must be a whole number")
        if not low <= value <= high:
            raise ConfigError(f"{where} is {value}; it must be {low} to {high}")
        return value
    if name == "monit_record":
        if not isinstance(value, dict):
            raise ConfigError(f"{where} must be a JSON object")
        return cast("dict[str, Any]", value)
    if not isinstance(value, str):
        raise ConfigError(f"{where} must be a text")
    if name in _CHOICES and value not in _CHOICES[name]:
        raise ConfigError(
            f"{where} is {value!r}; it must be one of {', '.join(_CHOICES[name])}"
        )
    if "\0" in value:
        raise ConfigError(f"{where} holds a NUL character")
    if name == "base":
        if not _BASE.fullmatch(value):
            raise ConfigError(
                f"{where} is {value!r}; it must be a path of letters, digits and"
                " '.', '_', '~', '-'"
            )
        return "/" + value.strip("/") if value.strip("/") else ""
    if name == "model_dir":
        if not value:
            raise ConfigError(f"{where} is empty; it must name a folder")
        return Path(value)
    return value


def _key(name: str) -> str:
    first, *rest = name.split("_")
    return first + "".join(word.capitalize() for word in rest)
