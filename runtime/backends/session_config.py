"""TensorFlow's settings in a process: its threads, and config.json's ``configProto``.

``configProto`` holds TFaaS's session options. A process has one TensorFlow runtime,
which is configured once, before its first use. So the settings are kept here, and not
with each model. The service itself has no TensorFlow: it gives a ``SessionConfig`` to
the processes that have it.
"""

from __future__ import annotations

import functools
import logging
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from runtime.config import ConfigError
from runtime.errors import BackendError

logger = logging.getLogger(__name__)

# tf.config can still apply these fields of tensorflow.ConfigProto.
APPLIED = frozenset(
    {
        "allow_soft_placement",
        "device_count",
        "gpu_options.allow_growth",
        "gpu_options.visible_device_list",
        "inter_op_parallelism_threads",
        "intra_op_parallelism_threads",
        "log_device_placement",
    }
)


@dataclass(frozen=True)
class SessionConfig:
    """The settings of TensorFlow in a process.

    Attributes:
        content: a serialized tensorflow.ConfigProto, or nothing; its threads count
            before ``threads``.
        threads: the threads that one run takes, like in ONNX Runtime. 0 leaves the
            number to TensorFlow, which takes all cores. The MNIST network then takes
            three times as long, because operators go from thread to thread.
    """

    content: bytes = b""
    threads: int = 0


_kept = SessionConfig()


def read_session_config(path: str, threads: int = 0) -> SessionConfig:
    """Read a file with a serialized tensorflow.ConfigProto; an empty path is no file.

    Raises:
        ConfigError: the file cannot be read, or holds something else.
    """
    try:
        content = Path(path).read_bytes() if path else b""
    except OSError as ex:
        raise ConfigError(
            f"'configProto' is {path}, which cannot be read: {ex.strerror}"
        ) from ex
    if not _may_be_config_proto(content):
        raise ConfigError(
            f"'configProto' is {path}, which is no serialized tensorflow.ConfigProto"
        )
    return SessionConfig(content, threads)


# The numbers of ConfigProto's fields in TensorFlow 2.21, by their wire type.
_VARINTS = frozenset({2, 3, 5, 7, 8, 9, 11, 15, 17})
_MESSAGES = frozenset({1, 6, 10, 12, 13, 14, 16, 18})
_TEXTS = frozenset({4})


def _may_be_config_proto(content: bytes) -> bool:
    """Tell without TensorFlow whether TensorFlow will be able to read it."""
    from google.protobuf.message import DecodeError

    try:
        for number, form, value in _wire(content):
            if number in _VARINTS and form == _VARINT:
                continue
            if number not in _MESSAGES | _TEXTS or form != _LENGTH:
                return False
            if number in _MESSAGES:
                list(_wire(value))
    except DecodeError:
        return False
    return True


# These are protobuf's wire types.
_VARINT, _LENGTH = 0, 2


def _wire(content: bytes) -> Iterator[tuple[int, int, Any]]:
    """Give a message's fields in their order: number, wire type, value."""
    from google.protobuf.empty_pb2 import Empty
    from google.protobuf.unknown_fields import UnknownFieldSet

    # A message type without fields takes each field for an unknown one.
    for field in UnknownFieldSet(Empty.FromString(content)):
        yield field.field_number, field.wire_type, field.data


def keep_session_config(config: SessionConfig) -> None:
    """Keep these settings for TensorFlow's first use in this process."""
    global _kept
    _kept = config


def apply_session_config(tensorflow: Any) -> None:
    """Configure TensorFlow by the kept settings, once in a process.

    Raises:
        BackendError: the file holds no ConfigProto, or TensorFlow refuses it.
    """
    if _kept.threads:
        _limit(tensorflow, _kept.threads)
    if _kept.content:
        _apply(tensorflow, _kept.content)


@functools.cache
def _limit(tensorflow: Any, threads: int) -> None:
    try:
        tensorflow.config.threading.set_intra_op_parallelism_threads(threads)
        tensorflow.config.threading.set_inter_op_parallelism_threads(threads)
    except RuntimeError:
        # Something else in this process has used TensorFlow already.
        logger.debug("TensorFlow keeps the threads that it has", exc_info=True)


@functools.cache
def _apply(tensorflow: Any, content: bytes) -> None:
    from google.protobuf.message import DecodeError

    try:
        proto = tensorflow.compat.v1.ConfigProto.FromString(content)
    except DecodeError as ex:
        raise BackendError(
            "the file of config.json's 'configProto' holds no serialized"
            " tensorflow.ConfigProto"
        ) from ex
    try:
        _configure(tensorflow.config, proto)
        if proto.log_device_placement:
            tensorflow.debugging.set_log_device_placement(True)
    except (RuntimeError, ValueError) as ex:
        raise BackendError(
            f"TensorFlow refuses config.json's 'configProto': {ex}"
        ) from ex
    if ignored := [name for name in _fields(proto) if name not in APPLIED]:
        logger.warning(
            "configProto: TensorFlow 2 has no such options, and these have no effect:"
            " %s",
            ", ".join(ignored),
        )


def _configure(config: Any, proto: Any) -> None:
    if proto.intra_op_parallelism_threads:
        config.threading.set_intra_op_parallelism_threads(
            proto.intra_op_parallelism_threads
        )
    if proto.inter_op_parallelism_threads:
        config.threading.set_inter_op_parallelism_threads(
            proto.inter_op_parallelism_threads
        )
    # protobuf reads a missing field as False. TensorFlow 2's default stays then, which
    # places an operation on the CPU if a GPU cannot run it.
    if proto.allow_soft_placement:
        config.set_soft_device_placement(True)
    gpus = config.list_physical_devices("GPU")
    if listed := proto.gpu_options.visible_device_list:
        wanted = [number.strip() for number in listed.split(",")]
        names = [str(index) for index in range(len(gpus))]
        if unknown := [number for number in wanted if number not in names]:
            raise ValueError(
                f"visible_device_list names GPU {unknown[0]}, and there are {len(gpus)}"
                " GPUs"
            )
        gpus = [gpus[int(number)] for number in wanted]
    if "GPU" in proto.device_count:
        gpus = gpus[: proto.device_count["GPU"]]
    config.set_visible_devices(gpus, "GPU")
    if proto.gpu_options.allow_growth:
        for gpu in gpus:
            config.experimental.set_memory_growth(gpu, True)
    if (count := proto.device_count.get("CPU", 1)) > 1:
        (cpu, *_) = config.list_physical_devices("CPU")
        config.set_logical_device_configuration(
            cpu, [config.LogicalDeviceConfiguration()] * count
        )


def _fields(message: Any, prefix: str = "") -> Iterator[str]:
    """Give the dotted names of the fields that are set."""
    for field, value in message.ListFields():
        name = prefix + field.name
        is_message = hasattr(value, "ListFields")
        if is_message and any(known.startswith(f"{name}.") for known in APPLIED):
            yield from _fields(value, f"{name}.")
        else:
            yield name
