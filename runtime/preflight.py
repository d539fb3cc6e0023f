"""The check of all settings together, once before the service starts.

Settings that cannot work are refused. Settings that are seldom meant give a sentence.
"""

from __future__ import annotations

import contextlib
import ipaddress
import math
import os
import ssl
import stat
from collections.abc import Callable, Iterable, Iterator
from importlib.util import find_spec
from pathlib import Path

from bundle.errors import DomainError, StoreError
from runtime.access.gate import gate_of
from runtime.backends.session_config import read_session_config
from runtime.config import Config, ConfigError
from runtime.mirroring import open_served, unreadable
from runtime.process.cores import usable_cores

# Python takes 45 MiB of memory with ONNX Runtime, and 520 MiB with TensorFlow.
_ENGINE_BYTES = 64 << 20
_TENSORFLOW_BYTES = 512 << 20
_ROOMY_BYTES = 1 << 30
# TensorFlow's import alone takes two to four seconds.
_TENSORFLOW_SECONDS = 5

# Some workers wait for a disk or a client, and let others run. With more than so many
# workers a core, the workers only wait for each other.
_CROWD = 4

_STATIC = ("js", "css", "images")

# The extra 'grpc' installs these packages.
_GRPC = ("grpc", "grpc_health", "grpc_reflection")


def check_config(config: Config) -> tuple[str, ...]:
    """Check files, folders and numbers before a worker needs them.

    Returns:
        Sentences on settings that work, but are seldom meant.

    Raises:
        ConfigError: a setting cannot work; the sentence names its key.
    """
    return tuple(doubt for check in CHECKS for doubt in check(config))


def check_tls(config: Config) -> tuple[str, ...]:
    """Check that key and certificate can be read, and belong together.

    Returns:
        No sentence, because what is wrong with them stops the start.

    Raises:
        ConfigError: they cannot be used; the sentence names the settings.
    """
    for key, name in (
        ("serverKey", config.server_key),
        ("serverCrt", config.server_crt),
    ):
        try:
            if name:
                Path(name).read_bytes()
        except OSError as ex:
            raise ConfigError(
                f"{key!r} is {name}, which cannot be read: {ex.strerror}"
            ) from ex
    if not config.server_key:
        return ()
    try:
        # Without this function OpenSSL would ask for a key's password at the terminal.
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(
            config.server_crt, config.server_key, password=lambda: b""
        )
    except ssl.SSLError as ex:
        raise ConfigError(
            f"'serverKey' {config.server_key} and 'serverCrt' {config.server_crt} must"
            " be a key without a password and its certificate, in PEM; OpenSSL says:"
            f" {(ex.reason or 'unreadable').replace('_', ' ').lower()}"
        ) from ex
    return ()


def _check_tokens(config: Config) -> tuple[str, ...]:
    gate_of(config)
    return ()


def _check_tensorflow(config: Config) -> tuple[str, ...]:
    read_session_config(config.config_proto, config.intra_op_threads)
    return ()


def _check_grpc(config: Config) -> tuple[str, ...]:
    if not config.grpc_port:
        return ()
    missing = [name for name in _GRPC if find_spec(name) is None]
    if missing:
        raise ConfigError(
            f"'grpcPort' is {config.grpc_port}, and {missing[0]} is not installed:"
            " pip install 'tfaas-onnx[grpc]'"
        )
    if config.grpc_port == config.port:
        raise ConfigError(
            f"'grpcPort' and 'port' are both {config.port}; gRPC needs a port of its"
            " own"
        )
    return ()


def _check_memory(config: Config) -> tuple[str, ...]:
    if config.trial_bytes < _ENGINE_BYTES:
        raise ConfigError(
            f"'trialBytes' is {config.trial_bytes}, which is too little to try an"
            f" upload: ONNX Runtime alone takes some {_ENGINE_BYTES}; raise it"
        )
    if config.export_on_upload != "off" and config.export_bytes < _TENSORFLOW_BYTES:
        raise ConfigError(
            f"'exportBytes' is {config.export_bytes}, which is too little for a"
            f" conversion: TensorFlow alone takes some {_TENSORFLOW_BYTES}; raise it,"
            " or set 'exportOnUpload' to 'off'"
        )
    return ()


def _of_an_object_store(config: Config) -> Iterator[str]:
    try:
        failure = unreadable(config)
    except StoreError as ex:
        raise ConfigError(f"'modelDir' is {config.model_dir}: {ex}") from ex
    if failure:
        yield (
            f"'modelDir' is {config.model_dir}: {failure}; the models on this machine"
            " are served"
        )
    copy = config.store_folder
    try:
        copy.mkdir(parents=True, exist_ok=True)
    except OSError as ex:
        raise ConfigError(
            f"'objectCacheDir': {copy} cannot be made: {ex.strerror}"
        ) from ex
    if not os.access(copy, os.R_OK | os.W_OK | os.X_OK):
        raise ConfigError(f"'objectCacheDir': {copy} cannot be written")
    if config.object_cache_bytes < config.max_upload_bytes:
        yield (
            f"'objectCacheBytes' ({config.object_cache_bytes}) is less than"
            f" 'maxUploadBytes' ({config.max_upload_bytes}): a model of that size"
            " pushes all others off this machine"
        )
    age = config.object_max_age_seconds
    if 0 < age <= 2 * config.object_poll_seconds:
        yield (
            f"'objectMaxAgeSeconds' ({age}) is no more than two looks"
            f" ('objectPollSeconds' is {config.object_poll_seconds}): one look that"
            " fails makes the service not ready"
        )


def _of_the_store(config: Config) -> Iterator[str]:
    if isinstance(config.model_dir, str):
        yield from _of_an_object_store(config)
        return
    folder = config.model_dir
    told = f"'modelDir' is {folder}, which"
    if _is_folder(folder):
        if not os.access(folder, os.R_OK | os.X_OK):
            raise ConfigError(f"{told} cannot be read; change its permissions")
        if not os.access(folder, os.W_OK):
            yield (
                f"{told} cannot be written: its models are served, and uploads, labels"
                " and deletes will fail"
            )
        return
    if os.path.lexists(folder):
        raise ConfigError(f"{told} is not a folder")
    _check_can_be_made(folder, told)
    if folder != Config.model_dir:
        yield f"{told} is not there; the first upload will make it"


def _check_can_be_made(folder: Path, told: str) -> None:
    path = folder.absolute()
    while not os.path.lexists(path.parent):
        path = path.parent
    try:
        # Some folders, such as /proc, show only at a trial that they take no folder.
        path.mkdir()
        with contextlib.suppress(OSError):  # somebody else has put a file there
            path.rmdir()
    except FileExistsError:  # somebody else made it meanwhile
        pass
    except OSError as ex:
        raise ConfigError(
            f"{told} is not there and cannot be made: {ex.strerror}"
        ) from ex


def _of_feedback(config: Config) -> Iterator[str]:
    if not config.feedback_dir:
        return
    folder = Path(config.feedback_dir)
    told = f"'feedbackDir' is {folder}, which"
    place = folder.resolve()
    store = config.model_dir
    if isinstance(store, Path) and (
        place.is_relative_to(store.resolve()) or store.resolve().is_relative_to(place)
    ):
        raise ConfigError(
            f"'feedbackDir' is {folder} and 'modelDir' is {config.model_dir}: one lies"
            " in the other; name a folder of its own"
        )
    # A folder of pictures is called as one of staticDir's folders is: images. Each may
    # be a link, and an empty staticDir is the working folder.
    static = Path(config.static_dir)
    for shown in ((static / name).resolve() for name in _STATIC):
        if place.is_relative_to(shown) or shown.is_relative_to(place):
            raise ConfigError(
                f"'feedbackDir' is {folder} and 'staticDir' is {static}, whose files"
                " everybody may read: one lies in the other; name another folder"
            )
    if _is_folder(folder):
        if not os.access(folder, os.R_OK | os.W_OK | os.X_OK):
            raise ConfigError(
                f"{told} cannot be read and written; change its permissions"
            )
    elif os.path.lexists(folder):
        raise ConfigError(f"{told} is not a folder")
    else:
        _check_can_be_made(folder, told)
    if config.feedback_bytes < config.max_body_bytes:
        yield (
            f"'feedbackBytes' ({config.feedback_bytes}) is less than 'maxBodyBytes'"
            f" ({config.max_body_bytes}): one picture may be larger than all feedback"
            " may be"
        )


def _is_folder(path: Path) -> bool:
    """Tell whether a path is a folder; False if the folder above may not be read."""
    try:
        return path.is_dir()
    except OSError:
        return False


def _check_log(config: Config) -> tuple[str, ...]:
    if not config.log_file:
        return ()
    path = Path(config.log_file)
    if _is_folder(path) or config.log_file.endswith("/"):
        raise ConfigError(
            f"'logFile' is {config.log_file}, which is a folder; name files in it, such"
            f" as {path / 'tfaas'}"
        )
    if not _is_folder(path.parent):
        reason = "there is no such folder"
    elif not os.access(path.parent, os.W_OK | os.X_OK):
        reason = "its folder is not writable"
    else:
        return ()
    raise ConfigError(
        f"'logFile' is {config.log_file}, which cannot be written: {reason}"
    )


def _of_static_files(config: Config) -> Iterator[str]:
    told = f"'staticDir' is {config.static_dir}, which"
    folder = Path(config.static_dir)
    if _is_folder(folder):
        if not any(_is_folder(folder / name) for name in _STATIC):
            yield f"{told} has none of the folders {', '.join(_STATIC)} to serve"
    elif os.path.lexists(folder):
        raise ConfigError(f"{told} is not a folder")
    elif config.static_dir not in ("", Config.static_dir):
        yield f"{told} is not there; /js, /css and /images will be 404"


def _of_secrets(config: Config) -> Iterator[str]:
    for key, name, harm in (
        ("serverKey", config.server_key, "the key may be read by anybody"),
        ("writeTokensFile", config.write_tokens_file, "short tokens may be guessed"),
        (
            "predictTokensFile",
            config.predict_tokens_file,
            "short tokens may be guessed",
        ),
    ):
        if not name:
            continue
        try:
            mode = Path(name).stat().st_mode
        except OSError:  # another check says so
            continue
        if mode & stat.S_IWOTH:
            yield (
                f"{key!r} is {name}, which anybody on this machine may change:"
                f" chmod o-rwx {name}"
            )
        elif mode & stat.S_IROTH:
            yield (
                f"{key!r} is {name}, which anybody on this machine may read: {harm};"
                f" chmod o-rwx {name}"
            )


def _of_numbers(config: Config) -> Iterator[str]:
    if config.trial_bytes < _ROOMY_BYTES:
        yield (
            f"'trialBytes' is {config.trial_bytes}: TensorFlow alone takes some"
            f" {_TENSORFLOW_BYTES}, so uploads that only it can answer may be refused"
        )
    if config.trial_seconds < _TENSORFLOW_SECONDS:
        yield (
            f"'trialSeconds' is {config.trial_seconds}: TensorFlow's import alone takes"
            " seconds, so uploads that only it can answer may be refused"
        )
    if config.export_on_upload != "off":
        if config.export_bytes < _TENSORFLOW_BYTES + 5 * config.max_upload_bytes:
            yield (
                f"'exportBytes' is {config.export_bytes}: a conversion takes some"
                f" {_TENSORFLOW_BYTES} and five times the model, so an upload of"
                f" 'maxUploadBytes' ({config.max_upload_bytes}) may not be converted"
            )
        if config.export_seconds < _TENSORFLOW_SECONDS:
            yield (
                f"'exportSeconds' is {config.export_seconds}: TensorFlow's import alone"
                " takes seconds, so nothing may be converted"
            )
    if config.max_upload_bytes < config.max_body_bytes:
        yield (
            f"'maxUploadBytes' ({config.max_upload_bytes}) is less than 'maxBodyBytes'"
            f" ({config.max_body_bytes}): a prediction may be larger than a bundle"
        )
    if config.cache_bytes < config.max_upload_bytes:
        yield (
            f"'cacheBytes' ({config.cache_bytes}) is less than 'maxUploadBytes'"
            f" ({config.max_upload_bytes}): a model of that size pushes all others out"
            " of memory"
        )
    cores = usable_cores()
    if config.workers > _CROWD * cores:
        yield (
            f"'workers' is {config.workers} on {cores} cores: each holds its own copy"
            " of every model, and they wait for each other"
        )
    if config.intra_op_threads > cores:
        yield (
            f"'intraOpThreads' is {config.intra_op_threads} on {cores} cores: threads"
            " of one run wait for each other"
        )
    if 0 < config.timeout_ms * 1000 <= config.max_queue_delay_us:
        yield (
            f"'maxQueueDelayUs' ({config.max_queue_delay_us}) is no less than"
            f" 'timeoutMs' ({config.timeout_ms}): a request's time may be over before"
            " its batch is full"
        )


def _of_names(config: Config) -> Iterator[str]:
    store = open_served(config)
    if store.age() == math.inf:  # nobody knows its models yet
        return
    try:
        names = set(store.names())
        labels = {label for name in names for label in store.labels(name)}
    except DomainError:  # the service itself tells that the store cannot be read
        return
    loaded = set(config.preload) - {"*"} | (names if "*" in config.preload else set())
    if len(loaded) > config.cache_limit:
        yield (
            f"'preload' names {len(loaded)} models, but 'cacheLimit' keeps only"
            f" {config.cache_limit} in memory"
        )
    for key, wanted in (("preload", config.preload), ("models", config.models)):
        for name in wanted:
            if name not in names and name != "*":
                yield f"{key!r} names {name!r}, which the store does not have (yet)"
    for label in config.traffic:
        if label not in labels:
            yield (
                f"'traffic' names the label {label!r}, which no model has (yet); the"
                " serving version answers its share"
            )
    if config.shadow and config.shadow not in labels:
        yield f"'shadow' is the label {config.shadow!r}, which no model has (yet)"


def _of_what_has_no_effect(config: Config) -> Iterator[str]:
    if config.onnx == "off" and config.variant != "fp32":
        yield "'variant' has no effect, because 'onnx' is off: variants are ONNX"
    if config.onnx == "off" and config.provider == "cuda":
        yield (
            "'provider' has no effect, because 'onnx' is off: it is a setting of ONNX"
            " Runtime"
        )
    if config.onnx == "off" and config.parity_share:
        yield (
            "'parityShare' has no effect, because 'onnx' is off: TensorFlow answers all"
            " requests"
        )
    if config.on_parity_failure == "fallback" and not config.parity_share:
        yield "'onParityFailure' has no effect, because 'parityShare' is 0"
    if config.onnx == "require" and config.on_parity_failure == "fallback":
        yield (
            "'onParityFailure' has no effect, because 'onnx' is require: TensorFlow"
            " serves no model"
        )
    if config.onnx == "require" and config.config_proto:
        yield (
            "'configProto' has no effect, because 'onnx' is require: it is a setting of"
            " TensorFlow"
        )
    if "*" in config.cors_origins and not gate_of(config).asks_for_reads:
        yield (
            "'corsOrigins' has '*', and there are no 'predictTokens': each page that a"
            " user of this service opens may read its models"
        )
    for network in config.trusted_proxies:
        if not ipaddress.ip_network(network).prefixlen:
            yield (
                f"'trustedProxies' has {network}, which is everybody: each client may"
                " give any address in X-Forwarded-For"
            )


# In the order in which they speak; one that finds what cannot work raises ConfigError.
CHECKS: tuple[Callable[[Config], Iterable[str]], ...] = (
    check_tls,
    _check_grpc,
    _check_tokens,
    _check_tensorflow,
    _check_log,
    _check_memory,
    _of_the_store,
    _of_feedback,
    _of_static_files,
    _of_secrets,
    _of_numbers,
    _of_names,
    _of_what_has_no_effect,
)
