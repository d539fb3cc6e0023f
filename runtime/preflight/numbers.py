"""The check of numbers, which must suit the machine and each other."""

from __future__ import annotations

from collections.abc import Iterator

from runtime.config import Config, ConfigError
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


def check_memory(config: Config) -> tuple[str, ...]:
    """Check that trials and conversions get the memory that their engines take.

    Raises:
        ConfigError: they get too little for any model.
    """
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


def check_numbers(config: Config) -> Iterator[str]:
    """Tell which numbers are small or large, or do not fit each other."""
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
