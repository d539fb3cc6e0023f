"""The check of all settings together, once before the service starts.

Settings that cannot work are refused. Settings that are seldom meant give a sentence.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from runtime.config import Config
from runtime.preflight.effects import check_effects
from runtime.preflight.folders import check_feedback, check_log, check_static_files
from runtime.preflight.numbers import check_memory, check_numbers
from runtime.preflight.packages import check_grpc, check_tensorflow
from runtime.preflight.secrets import check_secrets, check_tls, check_tokens
from runtime.preflight.store import check_names, check_store


def check_config(config: Config) -> tuple[str, ...]:
    """Check files, folders and numbers before a worker needs them.

    Returns:
        Sentences on settings that work, but are seldom meant.

    Raises:
        ConfigError: a setting cannot work; the sentence names its key.
    """
    return tuple(doubt for check in CHECKS for doubt in check(config))


# In the order in which they speak; one that finds what cannot work raises ConfigError.
CHECKS: tuple[Callable[[Config], Iterable[str]], ...] = (
    check_tls,
    check_grpc,
    check_tokens,
    check_tensorflow,
    check_log,
    check_memory,
    check_store,
    check_feedback,
    check_static_files,
    check_secrets,
    check_numbers,
    check_names,
    check_effects,
)
