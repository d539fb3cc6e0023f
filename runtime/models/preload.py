"""Models that are loaded before the service says that it is ready."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterable

from bundle.errors import DomainError, ModelNotFound
from bundle.spec import ModelSpec
from bundle.store import ModelStore
from runtime.models.registry import ModelRegistry
from runtime.process.daemon_thread import DaemonThread
from runtime.telemetry.once import Once

logger = logging.getLogger(__name__)

EVERY = "*"


class Preloader:
    """Loads models on a thread of its own, and says which are still to come.

    One that was loaded once is done: that it was deleted later, or let go for others,
    does not make the service less ready. Nor does one that ``*`` found and that is
    deleted before it could be loaded; one that is named is waited for.

    Args:
        registry: loads them.
        store: says which there are, for ``*``.
        names: config.json's ``preload``; ``*`` is every model that there is at the
            start.
    """

    def __init__(
        self, registry: ModelRegistry, store: ModelStore, names: Iterable[str]
    ) -> None:
        self._registry = registry
        self._store = store
        # Each with what keeps it from being ready.
        self._missing = {
            name: "the store is still to be read"
            if name == EVERY
            else f"model {name!r} is still to be loaded"
            for name in names
        }
        self._once = Once()
        self._named = frozenset(self._missing) - {EVERY}
        self._lock = threading.Lock()  # of those that are missing
        # A slow load never keeps the process from ending.
        self._thread = DaemonThread(self._load_all, "preload")

    def start(self) -> None:
        """Begin to load, or try again what could not be loaded; does not wait."""
        if self._missing:
            self._thread.start()

    def missing(self) -> list[str]:
        """Why the service is not ready, a sentence a model; empty if it is.

        What could not be loaded is tried again, beside the request that asks.
        """
        with self._lock:
            reasons = list(self._missing.values())
        self.start()
        return reasons

    def _load_all(self) -> None:
        with self._lock:
            names = list(self._missing)
        if EVERY in names:
            names = self._resolve(names)
        for name in names:
            self._load(name)

    def _resolve(self, names: list[str]) -> list[str]:
        """Put every model's name in place of ``*``."""
        named = [name for name in names if name != EVERY]
        try:
            found = [name for name in self._store.names() if name not in self._named]
        except DomainError as ex:
            with self._lock:
                self._missing[EVERY] = str(ex)
            return named
        with self._lock:
            del self._missing[EVERY]
            for name in found:
                self._missing[name] = f"model {name!r} is still to be loaded"
        return named + found

    def _load(self, name: str) -> None:
        try:
            self._registry.get(ModelSpec(name))
        except DomainError as ex:
            if isinstance(ex, ModelNotFound) and name not in self._named:
                with self._lock:
                    del self._missing[name]
                return
            with self._lock:
                self._missing[name] = str(ex)
            if self._once.is_news(str(ex), name):
                logger.warning("%s is not ready: %s", name, ex)
            return
        with self._lock:
            del self._missing[name]
