"""The registry: models in memory. The store is the models on disk."""

from __future__ import annotations

import logging
import threading
import time
from collections import OrderedDict, defaultdict
from collections.abc import Callable
from dataclasses import dataclass

from bundle.errors import BundleError, ModelNotFound
from bundle.store import ModelStore, Version
from runtime.errors import BackendError, ProviderError
from runtime.model import Model
from runtime.spec import ModelSpec

logger = logging.getLogger(__name__)

# What failed to load is tried again after so long: memory was short, say, or the disk.
# Until then each request is answered at once, or one broken model would hold them all.
RETRY_SECONDS = 30.0

# How long a request waits for a new version that another one loads. An ONNX of some
# megabytes takes a tenth of it, so that who asks after an upload gets the new one.
WAIT_SECONDS = 0.5

_LOAD_ERRORS = (BundleError, BackendError, ProviderError)


@dataclass(frozen=True)
class _Failure:
    version: Version
    sentence: str
    time: float


class ModelRegistry:
    """Models in memory, each in the version that the store now shows.

    A model is loaded on first use. When the store shows another version, that one is
    loaded before the old one is let go. One that cannot be loaded never replaces one
    that serves, and where none serves yet, the newest before it that can be loaded
    does. Requests that hold the old model end on it.

    Args:
        store: asked on each request which version is the served one, so that what
            another process publishes is served here too.
        open_model: loads and warms a version.
        limit: models kept; the one unused longest goes first.
        clock: seconds that only go on.
    """

    def __init__(
        self,
        store: ModelStore,
        open_model: Callable[[Version], Model],
        limit: int,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._store = store
        self._open_model = open_model
        self._limit = limit
        self._clock = clock
        self._lock = threading.Lock()  # of the three below; never held while loading
        self._loaded: OrderedDict[str, tuple[Version, Model]] = OrderedDict()
        self._failed: dict[str, _Failure] = {}
        self._pinned: dict[tuple[str, int], Model] = {}
        self._loading: defaultdict[str, threading.Lock] = defaultdict(threading.Lock)

    def get(self, spec: ModelSpec) -> Model:
        """The model that serves now, or the very version that is asked for.

        Raises:
            ModelNotFound: the store has none of this name.
            BackendError: no version of it can be opened.
        """
        if spec.version is not None:
            return self._get_pinned(spec.name, spec.version)
        name = spec.name
        version = self._current(spec)
        if model := self._serving(name, version):
            return model
        lock = self._loading_lock(name)
        if not lock.acquire(timeout=WAIT_SECONDS):
            # Another request is still loading the new one. Who has the old one answers
            # with it: a slow load must not hold every thread.
            if model := self._old_that_is_there(name):
                return model
            lock.acquire()
        try:
            while True:
                # Asked again: while this request waited, another may have loaded it, or
                # a newer one.
                version = self._current(spec)
                if model := self._serving(name, version):
                    return model
                if model := self._load(spec, version):
                    return model
        finally:
            lock.release()

    def _get_pinned(self, name: str, number: int) -> Model:
        version = self._store.version(name, number)
        if model := self.peek(name, number):
            return model
        try:
            model = self._open_model(version)
        except _LOAD_ERRORS as ex:
            raise BackendError(f"model {name!r} cannot be loaded: {ex}") from ex
        with self._lock:
            self._pinned[name, number] = model
        return model

    def peek(self, name: str, version: int) -> Model | None:
        """The version if it is loaded, without loading it."""
        with self._lock:
            held = self._loaded.get(name)
            if held and held[0].number == version:
                return held[1]
            return self._pinned.get((name, version))

    def failure(self, name: str, version: int) -> str | None:
        """Why the version does not serve, if it was tried and could not."""
        with self._lock:
            failed = self._failed.get(name)
        return failed.sentence if failed and failed.version.number == version else None

    def drop(self, name: str, version: int | None = None) -> None:
        """Let a model go, or one version; requests that hold it end on it."""
        with self._lock:
            held = self._loaded.get(name)
            if held and version in (None, held[0].number):
                self._loaded.pop(name)
                self._failed.pop(name, None)
            for key in list(self._pinned):
                if key[0] == name and version in (None, key[1]):
                    del self._pinned[key]

    def _current(self, spec: ModelSpec) -> Version:
        if spec.version is not None:
            return self._store.version(spec.name, spec.version)
        if spec.label is not None:
            return self._store.labelled(spec.name, spec.label)
        try:
            return self._store.current(spec.name)
        except ModelNotFound:
            self.drop(spec.name)
            raise

    def _serving(self, name: str, version: Version) -> Model | None:
        """The loaded model, if it is of this version, or this version just failed."""
        with self._lock:
            held = self._loaded.get(name)
            failed = self._failed.get(name)
            if held is not None and held[0] == version:
                self._loaded.move_to_end(name)
                return held[1]
        if (
            failed is None
            or failed.version != version
            or self._clock() - failed.time >= RETRY_SECONDS
        ):
            return None
        if model := self._old_that_is_there(name):
            return model
        raise BackendError(failed.sentence)

    def _old_that_is_there(self, name: str) -> Model | None:
        """The loaded model, if the store still has the very version it is of.

        Deleted, and its name used again, it may answer no more.
        """
        with self._lock:
            held = self._loaded.get(name)
        if held is None:
            return None
        version, model = held
        try:
            there = self._store.version(name, version.number)
        except ModelNotFound:
            return None
        return model if there == version else None

    def _load(self, spec: ModelSpec, version: Version) -> Model | None:
        """Load a version; None if the store or what failed is to be asked again."""
        name = spec.name
        try:
            model = self._open_model(version)
        except _LOAD_ERRORS as ex:
            # Deleted or replaced while it was read: look again.
            if self._current(spec) != version:
                return None
            logger.error(
                "%s version %d cannot be loaded: %s",
                name,
                version.number,
                ex,
                exc_info=ex,
            )
            sentence = f"model {name!r} cannot be loaded: {ex}"
            with self._lock:
                self._failed[name] = _Failure(version, sentence, self._clock())
            # One that serves goes on; a fresh process looks for the one before.
            old = self._old_that_is_there(name)
            return old or self._load_earlier(name, version)
        with self._lock:
            self._failed.pop(name, None)
        return self._take(name, version, model)

    def _load_earlier(self, name: str, broken: Version) -> Model | None:
        for number in reversed(self._store.versions(name)):
            if number >= broken.number:
                continue
            try:
                version = self._store.version(name, number)
                return self._take(name, version, self._open_model(version))
            except (*_LOAD_ERRORS, ModelNotFound) as ex:
                logger.error("%s version %d neither: %s", name, number, ex)
        return None

    def _take(self, name: str, version: Version, model: Model) -> Model:
        logger.info(
            "loaded %s version %d on %s/%s",
            name,
            version.number,
            model.backend.name,
            model.backend.device,
        )
        if model.fallback_reason:
            logger.warning(
                "%s falls back to TensorFlow: %s", name, model.fallback_reason
            )
        with self._lock:
            self._loaded[name] = (version, model)
            self._loaded.move_to_end(name)
            while len(self._loaded) > self._limit:
                unused, _ = self._loaded.popitem(last=False)
                # With it goes what it stood in for, to be tried anew.
                self._failed.pop(unused, None)
                logger.info("%s is let go: cacheLimit is %d", unused, self._limit)
        return model

    def _loading_lock(self, name: str) -> threading.Lock:
        with self._lock:
            return self._loading[name]
