"""The registry: models in memory. The store is the models on disk."""

from __future__ import annotations

import logging
import threading
from collections import OrderedDict, defaultdict
from collections.abc import Callable

from bundle.errors import BundleError, ModelNotFound
from bundle.store import ModelStore, Version
from runtime.errors import BackendError
from runtime.model import Model

logger = logging.getLogger(__name__)


class ModelRegistry:
    """Models in memory, each in the version that the store now shows.

    A model is loaded on first use. When the store shows another version, that one is
    loaded before the old one is let go; one that cannot be loaded never replaces one
    that serves. Requests that hold the old model end on it.

    Args:
        store: asked on each request which version is the served one, so that what
            another process publishes is served here too.
        open_model: loads and warms a version.
        limit: models kept; the one unused longest goes first.
    """

    def __init__(
        self,
        store: ModelStore,
        open_model: Callable[[Version], Model],
        limit: int,
    ) -> None:
        self._store = store
        self._open_model = open_model
        self._limit = limit
        self._lock = threading.Lock()  # of the three below; never held while loading
        self._loaded: OrderedDict[str, tuple[Version, Model]] = OrderedDict()
        self._failed: dict[str, Version] = {}
        self._loading: defaultdict[str, threading.Lock] = defaultdict(threading.Lock)

    def get(self, name: str) -> Model:
        """The model that serves now.

        Raises:
            ModelNotFound: the store has none of this name.
            BackendError: it cannot be opened, and no older one is loaded.
        """
        while True:
            version = self._current(name)
            if model := self._serving(name, version):
                return model
            with self._loading_lock(name):
                # Another request may have loaded it while this one waited.
                if model := self._serving(name, version):
                    return model
                try:
                    return self._load(name, version)
                except (BundleError, BackendError) as ex:
                    # Deleted or replaced while it was read: look again.
                    if self._current(name) == version:
                        raise BackendError(
                            f"model {name!r} cannot be loaded: {ex}"
                        ) from ex

    def peek(self, name: str) -> Model | None:
        """The model if it is loaded, without loading it."""
        with self._lock:
            held = self._loaded.get(name)
        return held[1] if held else None

    def _current(self, name: str) -> Version:
        try:
            return self._store.current(name)
        except ModelNotFound:
            self._drop(name)
            raise

    def _serving(self, name: str, version: Version) -> Model | None:
        with self._lock:
            held = self._loaded.get(name)
            if held is None:
                return None
            # What failed to load is not tried again until the store changes.
            if version not in (held[0], self._failed.get(name)):
                return None
            self._loaded.move_to_end(name)
            return held[1]

    def _load(self, name: str, version: Version) -> Model:
        try:
            model = self._open_model(version)
        except (BundleError, BackendError) as ex:
            with self._lock:
                held = self._loaded.get(name)
                if held is None:
                    raise
                self._failed[name] = version
            logger.error(
                "%s version %d cannot be loaded (%s); version %d goes on serving",
                name,
                version.number,
                ex,
                held[0].number,
            )
            return held[1]
        logger.info(
            "loaded %s version %d on %s/%s",
            name,
            version.number,
            model.backend.name,
            model.backend.device,
        )
        with self._lock:
            self._failed.pop(name, None)
            self._loaded[name] = (version, model)
            self._loaded.move_to_end(name)
            while len(self._loaded) > self._limit:
                unused, _ = self._loaded.popitem(last=False)
                logger.info("%s is let go: cacheLimit is %d", unused, self._limit)
        return model

    def _drop(self, name: str) -> None:
        with self._lock:
            self._loaded.pop(name, None)
            self._failed.pop(name, None)
            self._loading.pop(name, None)

    def _loading_lock(self, name: str) -> threading.Lock:
        with self._lock:
            return self._loading[name]
