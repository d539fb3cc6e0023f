"""Loading of models before the service says that it is ready."""

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
    """Loads models on a thread of its own, and tells which are not loaded yet.

    A model that was loaded once is done. If it is deleted later, or dropped for others,
    the service stays ready. A model that ``*`` found is also done if it is deleted
    before it could be loaded; a model that is named is waited for.

    Args:
        registry: the registry, which loads the models.
        store: the store, which tells the models for ``*``.
        names: config.json's ``preload``; ``*`` stands for every model that there is at
            the start.
    """

    def __init__(
        self, registry: ModelRegistry, store: ModelStore, names: Iterable[str]
    ) -> None:
        self._registry = registry
        self._store = store
        # Each name comes with the reason why its model is not ready.
        self._missing = {
            name: "the store is still to be read"
            if name == EVERY
            else f"model {name!r} is still to be loaded"
            for name in names
        }
        self._once = Once()
        self._named = frozenset(self._missing) - {EVERY}
        self._lock = threading.Lock()  # guards the missing models
        # A slow load never keeps the process from ending.
        self._thread = DaemonThread(self._load_all, "preload")

    def start(self) -> None:
        """Begin to load, or try again the models that failed; return at once."""
        if self._missing:
            self._thread.start()

    def missing(self) -> list[str]:
        """Tell why the service is not ready, a sentence a model; empty if it is ready.

        Models that could not be loaded are tried again, beside the request that asks.
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
        """Replace ``*`` by every model's name."""
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
            # Nobody waits for a model that somebody unloaded.
            if isinstance(ex, ModelNotFound) and (
                name not in self._named or self._store.is_unloaded(name)
            ):
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
