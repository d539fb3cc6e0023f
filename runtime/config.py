"""config.json: every tunable of the service, each with its reason.

TFaaS's own keys keep their names; a key is the field's name in camelCase. What stands
in the file is overridden by ``TFAAS_<KEY>`` of the environment, and that by flags. The
trainer and the exporter read ``modelDir`` here too, so that all three find one store.
"""

from __future__ import annotations

import difflib
import ipaddress
import json
import os
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, Literal, get_args

from bundle.errors import DomainError
from bundle.params import MODEL_NAME
from bundle.variants import Variant
from bundle.version_labels import LABEL_NAME

FILE_NAME = "config.json"
# Names another file than ./config.json, so that a service can start from any folder.
VARIABLE = "TFAAS_CONFIG"
PREFIX = "TFAAS_"

OnnxPolicy = Literal["prefer", "require", "off"]
Provider = Literal["auto", "cpu", "cuda"]
LogFormat = Literal["plain", "json"]
ExportPolicy = Literal["auto", "off"]
Batching = Literal["auto", "on", "off"]
Walls = Literal["auto", "require", "off"]


class ConfigError(DomainError):
    """A setting is wrong; the sentence names the key and where it was set."""


# A check takes a JSON value and gives the field's; it raises ValueError with the end of
# a sentence that begins with the key.
Check = Callable[[Any], Any]


def _whole(low: int, high: int) -> Check:
    def check(value: Any) -> int:
        if isinstance(value, bool) or not isinstance(value, int):
            raise ValueError("must be a whole number")
        if not low <= value <= high:
            raise ValueError(f"is {value}; it must be {low} to {high}")
        return value

    return check


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise ValueError("must be a text")
    if "\0" in value:
        raise ValueError("holds a NUL character")
    return value


def _flag(value: Any) -> bool:
    if not isinstance(value, bool):
        raise ValueError("must be true or false")
    return value


def _one_of(kind: Any) -> Check:
    choices = get_args(kind)

    def check(value: Any) -> str:
        if _text(value) not in choices:
            raise ValueError(f"is {value!r}; it must be one of {', '.join(choices)}")
        return str(value)

    return check


def _folder(value: Any) -> Path:
    if not _text(value):
        raise ValueError("is empty; it must name a folder")
    return Path(value)


def _host(value: Any) -> str:
    # To a socket it is every address, of which nobody means to be told by a blank.
    if not _text(value).strip():
        raise ValueError("is empty; 0.0.0.0 listens on every address")
    return str(value)


_BASE = re.compile(r"[A-Za-z0-9._~/-]*")


def _base(value: Any) -> str:
    if not _BASE.fullmatch(_text(value)):
        raise ValueError(
            f"is {value!r}; it must be a path of letters, digits and '.', '_', '~', '-'"
        )
    return "/" + value.strip("/") if value.strip("/") else ""


# The notation of TFaaS's limiter: requests, and S, M, H or D.
RATE = re.compile(r"([1-9][0-9]{0,8})-([SMHD])", re.IGNORECASE)


def _rate(value: Any) -> str:
    if _text(value) and not RATE.fullmatch(value):
        raise ValueError(
            f"is {value!r}; it must be a number and S, M, H or D: '100-S' is 100"
            " requests a second"
        )
    return str(value)


# SHA-256 in hexadecimal.
DIGEST = re.compile(r"[0-9a-f]{64}")


def _digests(value: Any) -> tuple[str, ...]:
    if not isinstance(value, list) or not all(isinstance(d, str) for d in value):
        raise ValueError("must be a list of texts, each the SHA-256 of a token")
    # Not shown: it may be the token itself.
    if not all(DIGEST.fullmatch(digest.lower()) for digest in value):
        raise ValueError(
            "holds what is no SHA-256 in 64 hexadecimal digits; `runtime token` makes"
            " one"
        )
    return tuple(digest.lower() for digest in value)


def _networks(value: Any) -> tuple[str, ...]:
    if not isinstance(value, list) or not all(isinstance(n, str) for n in value):
        raise ValueError('must be a list of addresses, such as ["10.0.0.0/8"]')
    for network in value:
        try:
            ipaddress.ip_network(network)
        except ValueError as ex:
            raise ValueError(f"has {network[:64]!r}, which is no network: {ex}") from ex
    return tuple(value)


def _label(value: Any) -> str:
    if _text(value) and not LABEL_NAME.fullmatch(value):
        raise ValueError(f"is {value!r}, which is no label's name")
    return str(value)


def _traffic(value: Any) -> dict[str, float]:
    if not isinstance(value, dict):
        raise ValueError('must be a JSON object, such as {"canary": 10}')
    for label, share in value.items():
        if not LABEL_NAME.fullmatch(label):
            raise ValueError(f"has {label!r}, which is no label's name")
        if isinstance(share, bool) or not isinstance(share, int | float):
            raise ValueError(f"must give {label!r} a number, the percentage")
        if not 0 <= share <= 100:
            raise ValueError(f"gives {label!r} {share} %; it must be 0 to 100")
    # Tenths that make up 100 may, as floats, make a little more.
    if round(sum(value.values()), 9) > 100:
        raise ValueError("gives more than 100 % in all")
    return {str(label): float(share) for label, share in value.items()}


def _names(value: Any) -> tuple[str, ...]:
    if not isinstance(value, list) or not all(isinstance(n, str) for n in value):
        raise ValueError('must be a list of model names, or ["*"]')
    for name in value:
        if name != "*" and not MODEL_NAME.fullmatch(name):
            raise ValueError(f"has {name[:128]!r}, which is no model's name")
    return tuple(value)


# What may differ from model to model; ``runtime tune`` finds the values.
OF_A_MODEL = (
    "batching",
    "intra_op_threads",
    "max_batch_size",
    "max_queue",
    "max_queue_delay_us",
)


def _models(value: Any) -> dict[str, dict[str, Any]]:
    if not isinstance(value, dict):
        raise ValueError('must be a JSON object, such as {"mnist": {"batching": "on"}}')
    checks = {key(f.name): f for f in fields(Config) if f.name in OF_A_MODEL}
    models: dict[str, dict[str, Any]] = {}
    for name, given in value.items():
        if not MODEL_NAME.fullmatch(name):
            raise ValueError(f"has {name[:128]!r}, which is no model's name")
        if not isinstance(given, dict):
            raise ValueError(f"must give {name!r} an object of settings")
        models[name] = {}
        for setting, wanted in given.items():
            if setting not in checks:
                raise ValueError(
                    f"gives {name!r} an unknown key {setting[:64]!r}; there are"
                    f" {', '.join(checks)}"
                )
            of = checks[setting]
            try:
                models[name][of.name] = of.metadata["check"](wanted)
            except ValueError as ex:
                raise ValueError(f"gives {name!r} a {setting!r} that {ex}") from None
    return models


def _setting(default: Any, check: Check, what: str) -> Any:
    metadata = {"check": check, "what": what}
    if isinstance(default, dict):
        return field(default_factory=dict, metadata=metadata)
    return field(default=default, metadata=metadata)


_BYTES = _whole(1, 1 << 40)


@dataclass(frozen=True)
class Config:
    """The service's settings; ``what`` of each is its line in ``--help``."""

    # TFaaS's port.
    port: int = _setting(
        8083, _whole(0, 65535), "port to listen on; 0 takes a free one"
    )
    # Only this machine by default: uploads are not authenticated.
    host: str = _setting(
        "127.0.0.1", _host, "address to listen on; 0.0.0.0 is every one"
    )
    # Relative to the working folder, as in TFaaS.
    model_dir: Path = _setting(Path("models"), _folder, "the store")
    # For a proxy that hands one path of a site over.
    base: str = _setting("", _base, "a prefix of every route")
    # TFaaS's: /js, /css and /images are folders of it.
    static_dir: str = _setting("static", _text, "folder of /js, /css and /images")
    config_proto: str = _setting(
        "", _text, "file with a serialized tensorflow.ConfigProto, for the fallback"
    )
    server_key: str = _setting("", _text, "TLS key, a PEM file")
    server_crt: str = _setting("", _text, "TLS certificate, a PEM file")
    write_tokens: tuple[str, ...] = _setting(
        (), _digests, "SHA-256 of tokens that may upload, delete and so on"
    )
    write_tokens_file: str = _setting("", _text, "a file with more of them, one a line")
    predict_tokens: tuple[str, ...] = _setting(
        (), _digests, "SHA-256 of tokens that may predict; none, and everybody may"
    )
    predict_tokens_file: str = _setting(
        "", _text, "a file with more of them, one a line"
    )
    trusted_proxies: tuple[str, ...] = _setting(
        (), _networks, 'whose X-Forwarded-For is believed: ["10.0.0.0/8"]'
    )
    rate: str = _setting(
        "", _rate, "requests a client may make, such as 100-S; off if empty"
    )
    # 0 warnings and requests, 1 also what is loaded and published, 2 also debugging.
    verbose: int = _setting(
        0, _whole(0, 2), "0 warnings, 1 loads and uploads, 2 debugging"
    )
    # TFaaS adds the host and the day to the name, and so do we: a new file each day.
    log_file: str = _setting(
        "", _text, "log to files of this name, one a day; else stderr"
    )
    log_format: LogFormat = _setting("plain", _one_of(LogFormat), "plain or json lines")
    access_log: bool = _setting(True, _flag, "one line a request")
    monit_record: bool = _setting(
        False, _flag, "print CERN MONIT's record of each request on stdout"
    )
    # Needs the extra 'tracing'; where spans go, OTEL_EXPORTER_OTLP_ENDPOINT says.
    tracing: bool = _setting(False, _flag, "OpenTelemetry spans of each request")
    cache_limit: int = _setting(
        10,
        _whole(1, 1_000_000),
        "model versions kept in memory, least recently used out",
    )
    # A model's bytes are its files', which its weights make up; what an engine adds to
    # them is not known before it runs.
    cache_bytes: int = _setting(4 << 30, _BYTES, "and bytes of their files, in all")
    keep_versions: int = _setting(
        5,
        _whole(0, 1_000_000),
        "versions kept of a model, labelled ones apart; 0 is all",
    )
    traffic: Mapping[str, float] = _setting(
        {}, _traffic, 'share of the requests that a label gets: {"canary": 10} is 10 %'
    )
    shadow: str = _setting(
        "",
        _label,
        "label whose version runs beside, without answering, and is compared",
    )
    preload: tuple[str, ...] = _setting(
        (), _names, 'models loaded before the service is ready; ["*"] is all'
    )
    # prefer: ONNX Runtime, and TensorFlow where ONNX cannot. require: ONNX Runtime or
    # an error. off: TensorFlow.
    onnx: OnnxPolicy = _setting("prefer", _one_of(OnnxPolicy), "prefer, require or off")
    # Of the models whose params.json names none. A variant answers a little otherwise:
    # only who wants it gets it.
    variant: Variant = _setting(
        "fp32", _one_of(Variant), "fp32, fp16 (for CUDA) or int8 of each model"
    )
    # auto: CUDA if it truly works, else the CPU. cuda: CUDA or an error.
    provider: Provider = _setting("auto", _one_of(Provider), "auto, cpu or cuda")
    # auto: where the extra 'export' is installed. TensorFlow serves what was uploaded
    # without ONNX until it has one that is proved.
    export_on_upload: ExportPolicy = _setting(
        "auto", _one_of(ExportPolicy), "add a proved model.onnx to uploads: auto or off"
    )
    # The largest of keras.applications take minutes on one busy core.
    export_seconds: int = _setting(
        900, _whole(1, 86400), "that one conversion may take, in seconds"
    )
    # TensorFlow and ONNX Runtime themselves are half a gigabyte, and a model's weights
    # are in memory some five times: an upload of 'maxUploadBytes' fits.
    export_bytes: int = _setting(8 << 30, _BYTES, "of memory for one conversion")
    # TensorFlow's import, a load and a warm-up take seconds; of large models, minutes.
    trial_seconds: int = _setting(
        120, _whole(1, 86400), "that the trial of an upload may take, in seconds"
    )
    trial_bytes: int = _setting(8 << 30, _BYTES, "of memory for such a trial")
    trust_uploads: bool = _setting(
        False, _flag, "take uploads with any operator: they may read and write files"
    )
    # auto: those that the kernel offers, and a warning of what is missing. require: a
    # stranger's model is not opened where files or sockets are not walled off. off: for
    # an engine or a driver that does not work behind them.
    walls: Walls = _setting(
        "auto",
        _one_of(Walls),
        "around other people's models, built by the kernel: auto, require or off",
    )
    # Root can give its rights up; another user has none to give.
    run_as_user: str = _setting(
        "", _text, "user that opens other people's models, where the service is root's"
    )
    # Of what one run takes; a larger request is run in pieces. New versions are warmed
    # at 1 and at this size.
    max_batch_size: int = _setting(32, _whole(1, 4096), "items in one run of a model")
    # auto: where it pays, by a measurement of each model as it is loaded.
    batching: Batching = _setting(
        "auto",
        _one_of(Batching),
        "run what queues for a model as one batch: auto, on or off",
    )
    max_queue: int = _setting(
        256, _whole(1, 1_000_000), "requests that may wait for a model; more get 503"
    )
    # 0: what queued while the last batch ran. A GPU may gain by some hundreds.
    max_queue_delay_us: int = _setting(
        0, _whole(0, 1_000_000), "that a batch waits to be full, in microseconds"
    )
    timeout_ms: int = _setting(
        0,
        _whole(0, 86_400_000),
        "after which a request that still waits is answered 504, in milliseconds; 0 is"
        " never",
    )
    intra_op_threads: int = _setting(
        1, _whole(0, 1024), "that one run takes in ONNX Runtime; 0 is one a core"
    )
    models: Mapping[str, Mapping[str, Any]] = _setting(
        {}, _models, 'some of these of one model: {"mnist": {"maxBatchSize": 8}}'
    )
    # One a core on the CPU; CUDA's memory holds one copy of a model better than many.
    workers: int = _setting(
        0, _whole(0, 1024), "processes of `runtime serve`; 0 is one a core"
    )
    # Beside the one that answers what is quick, and those of uploads and downloads.
    threads: int = _setting(
        4,
        _whole(1, 1024),
        "threads of each process of `runtime serve` for what is not quick",
    )
    # Less than the 30 s after which Kubernetes kills.
    drain_seconds: int = _setting(
        20, _whole(1, 3600), "that requests in hand may take when the service ends"
    )
    # A 16 Mpx camera JPEG has 10 MB.
    max_body_bytes: int = _setting(32 << 20, _BYTES, "of one prediction's request")
    max_upload_bytes: int = _setting(
        1 << 30, _BYTES, "of one uploaded bundle, unpacked"
    )


@dataclass(frozen=True)
class Settings:
    """A config, and where each of its values comes from.

    Attributes:
        config: the values.
        sources: of each field: ``default``, a file, a variable or a flag.
    """

    config: Config
    sources: Mapping[str, str]


def load_config(environ: Mapping[str, str] = os.environ) -> Config:
    """The config alone; see ``load_settings``."""
    return load_settings(environ).config


def load_settings(
    environ: Mapping[str, str] = os.environ, flags: Mapping[str, Any] | None = None
) -> Settings:
    """Read config.json of the working folder, or the file that $TFAAS_CONFIG names.

    Args:
        environ: ``TFAAS_<KEY>`` goes before the file: TFAAS_MODEL_DIR is modelDir.
        flags: values by field name, as JSON has them; they go before both.

    Raises:
        ConfigError: the file is not JSON, or a setting is unknown or of the wrong kind.
    """
    path, content = _read_file(environ)
    return _settings(
        [
            *((path, *setting) for setting in _from_json(content, path)),
            *_from_environment(environ),
            *(("flag", option(name), name, v) for name, v in (flags or {}).items()),
        ]
    )


def config_from_json(content: Mapping[str, Any], source: str = FILE_NAME) -> Config:
    """Check a config's content; ``source`` begins each sentence.

    Raises:
        ConfigError: a key is unknown, of the wrong kind, or out of its range.
    """
    given = [(source, *setting) for setting in _from_json(content, source)]
    return _settings(given).config


def key(name: str) -> str:
    """A field's name as config.json has it: ``model_dir`` is ``modelDir``."""
    first, *rest = name.split("_")
    return first + "".join(word.capitalize() for word in rest)


def variable(name: str) -> str:
    """A field's name in the environment: ``model_dir`` is ``TFAAS_MODEL_DIR``."""
    return PREFIX + name.upper()


def option(name: str) -> str:
    """A field's name as a flag: ``model_dir`` is ``--model-dir``."""
    return "--" + name.replace("_", "-")


# Where a value comes from, how its sentence calls it, its field, and itself.
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
    """The file that settings are read from, be it there or not."""
    return Path(environ.get(VARIABLE) or FILE_NAME)


def _read_file(environ: Mapping[str, str]) -> tuple[str, dict[str, Any]]:
    named = environ.get(VARIABLE)
    path = config_path(environ)
    try:
        content = json.loads(path.read_bytes(), object_pairs_hook=_object)
    except FileNotFoundError:
        if named:
            raise ConfigError(
                f"${VARIABLE} names {named}, which is not there"
            ) from None
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
    """A JSON object has a key twice, of which all but the last would be lost."""


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    content = dict(pairs)
    if len(content) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise _Twice(f"{twice[:64]!r} stands there twice; take one of them out")
    return content


def _from_json(
    content: Mapping[str, Any], source: str
) -> Iterator[tuple[str, str, Any]]:
    known = {key(f.name): f.name for f in fields(Config)}
    for name, value in content.items():
        if name not in known:
            raise ConfigError(f"{source}: unknown key {name!r}{_hint(name, known)}")
        yield f"{source}: {name!r}", known[name], value


# What Kubernetes sets in every container beside a Service that is named tfaas.
_KUBERNETES = re.compile(rf"{PREFIX}(SERVICE_(HOST|PORT)|PORT_\d+_).*")


def _from_environment(environ: Mapping[str, str]) -> Iterator[_Given]:
    known = {variable(f.name): f for f in fields(Config)}
    for name, text in sorted(environ.items()):
        if not name.startswith(PREFIX) or name == VARIABLE:
            continue
        if _KUBERNETES.fullmatch(name) or (
            name == f"{PREFIX}PORT" and text.startswith("tcp://")
        ):
            continue
        if name not in known:
            raise ConfigError(f"unknown variable ${name}{_hint(name, known)}")
        yield f"${name}", f"${name}", known[name].name, parse(known[name].name, text)


def parse(name: str, text: str) -> Any:
    """A variable's or a flag's text as JSON has it, by the kind of its field.

    What cannot be read stays a text, and the field's check refuses it.
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
