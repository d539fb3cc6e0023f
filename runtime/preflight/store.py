"""The check of the store, and of the models and labels that settings name."""

from __future__ import annotations

import math
import os
from collections.abc import Iterator

from bundle.errors import DomainError, StoreError
from runtime.config import Config, ConfigError
from runtime.mirroring import open_served, unreadable
from runtime.preflight.folders import check_can_be_made, is_folder


def check_store(config: Config) -> Iterator[str]:
    """Check the store, and tell whether it can be written.

    Raises:
        ConfigError: it cannot be served.
    """
    if isinstance(config.model_dir, str):
        yield from _of_an_object_store(config)
        return
    folder = config.model_dir
    told = f"'modelDir' is {folder}, which"
    if is_folder(folder):
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
    check_can_be_made(folder, told)
    if folder != Config.model_dir:
        yield f"{told} is not there; the first upload will make it"


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


def check_names(config: Config) -> Iterator[str]:
    """Tell which models and labels are named in vain, because no model has them."""
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
