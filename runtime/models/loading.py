"""The loading of versions, each by one thread; those that failed are remembered."""

from __future__ import annotations

import contextlib
import logging
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from weakref import WeakValueDictionary

from bundle.errors import BundleError
from bundle.store import ModelStore
from bundle.version import Version, origin_of
from runtime.errors import BackendError, ProviderError
from runtime.models.cache import ModelCache
from runtime.models.fallback import RETRY_SECONDS
from runtime.models.held import Held, Key, is_there
from runtime.models.model import Model
from runtime.telemetry import metrics

logger = logging.getLogger(__name__)

_LOAD_ERRORS = (BundleError, BackendError, ProviderError)

# A client gets this text for an unexpected failure; the log alone gets its reason.
_UNFORESEEN = "the server failed on it, and its log says why"


class StillLoading(Exception):
    """Another thread has been loading the version for as long as a request waits."""


@dataclass(frozen=True)
class _Failure:
    version: Version
    sentence: str
    time: float


class _Load:
    """The load of one version; the thread that holds ``lock`` does it.

    Attributes:
        since: the time when that thread began; None while no thread holds the lock.
    """

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.since: float | None = None

    def seconds_so_far(self, now: float) -> float:
        """Return how long it has been loading; 0 while no thread loads it."""
        return 0.0 if self.since is None else now - self.since

    @contextlib.contextmanager
    def timed(self, now: float) -> Iterator[None]:
        """Note since when the thread that holds the lock loads."""
        self.since = now
        try:
            yield
        finally:
            self.since = None


class Loader:
    """Loads versions into the cache; several threads use it.

    Args:
        store: the store; it tells whether a version is still there.
        cache: the cache, which keeps what was loaded.
        open_model: the function that opens and warms a version.
        wait_seconds: the time for which a version may be loaded before callers stop to
            wait for it.
        clock: a clock in seconds that never goes back.
    """

    def __init__(
        self,
        store: ModelStore,
        cache: ModelCache,
        open_model: Callable[[Version], Model],
        wait_seconds: float,
        clock: Callable[[], float],
    ) -> None:
        self._store = store
        self._cache = cache
        self._open_model = open_model
        self._wait_seconds = wait_seconds
        self._clock = clock
        self._lock = threading.Lock()  # guards both below; not held during a load
        self._failed: dict[Key, _Failure] = {}
        self._loads: WeakValueDictionary[Key, _Load] = WeakValueDictionary()

    def load(self, version: Version, *, is_waiting: bool) -> Model | None:
        """Load a version, unless it is in memory or failed lately.

        Args:
            version: the version.
            is_waiting: whether the caller waits for another thread that loads it,
                however long that takes.

        Returns:
            The model; None if it failed now or lately, or was deleted.

        Raises:
            StillLoading: another thread has been loading it for ``wait_seconds``.
        """
        load = self._load_of((version.name, version.number))
        if not load.lock.acquire(timeout=-1 if is_waiting else self._patience(load)):
            raise StillLoading
        try:
            # The thread that held the lock before may have loaded it, or failed.
            if (model := self._cache.find(version)) or self.failed_lately(version):
                return model
            with load.timed(self._clock()):
                return self._load(version)
        finally:
            load.lock.release()

    def reopen(self, is_changed: Callable[[str], bool]) -> None:
        """Open versions that are in memory anew; see ``ModelRegistry.reopen``."""
        asked = self._clock()
        with self._lock:
            # They are read first: a version is in the cache before its load ends.
            loading = set(self._loads)
        keys = {*loading, *self._cache.loaded()}
        for key in sorted(one for one in keys if is_changed(one[0])):
            load = self._load_of(key)
            with load.lock:
                held = self._cache.held(key)
                if held is None or held.since > asked:
                    continue
                with load.timed(self._clock()):
                    self._load(held.version, is_again=True)

    def failed_lately(self, version: Version) -> str | None:
        """Tell why a version cannot be loaded, if it is too early to try again."""
        with self._lock:
            failed = self._failed.get((version.name, version.number))
        if (
            failed is None
            or failed.version != version
            or self._clock() - failed.time >= RETRY_SECONDS
        ):
            return None
        return failed.sentence

    def failure(self, name: str, number: int) -> str | None:
        """Tell why a version does not serve, if it was tried and could not."""
        with self._lock:
            failed = self._failed.get((name, number))
        if failed is None or not is_there(self._store, failed.version):
            return None
        return failed.sentence

    def forget(self, name: str, number: int | None) -> None:
        """Forget the failure of a version, or with None of all versions of a model."""
        with self._lock:
            for key in list(self._failed):
                if key[0] == name and number in (None, key[1]):
                    del self._failed[key]

    def _load(self, version: Version, is_again: bool = False) -> Model | None:
        """Load a version; return None if it failed, or was deleted.

        One that is loaded again goes on as it was if that fails.
        """
        start, since = time.perf_counter(), self._clock()
        try:
            model = self._open_model(version)
        # Unexpected errors are caught too: a version that this code fails on must not
        # keep the version before it from answering.
        except Exception as ex:
            if is_there(self._store, version):
                self._note_failure(version, ex, is_again)
            return None
        try:
            origin = origin_of(version.path)
        except OSError:
            return None
        # If it was deleted or changed while it was read, the caller looks again.
        if not is_there(self._store, version):
            return None
        metrics.LOADS.labels(version.name, version.number, "ok").inc()
        metrics.LOAD_SECONDS.labels(version.name).observe(time.perf_counter() - start)
        _tell(version, model)
        with self._lock:
            self._failed.pop((version.name, version.number), None)
        self._cache.keep(Held(version, model, origin, since))
        return model

    def _note_failure(self, version: Version, ex: Exception, is_again: bool) -> None:
        name, number = version.name, version.number
        why = str(ex) if isinstance(ex, _LOAD_ERRORS) else _UNFORESEEN
        logger.error(
            "%s version %d cannot be loaded: %s", name, number, why, exc_info=ex
        )
        metrics.LOADS.labels(name, number, "failed").inc()
        if is_again:
            return
        sentence = f"model {name!r} version {number} cannot be loaded: {why}"
        with self._lock:
            self._failed[name, number] = _Failure(version, sentence, self._clock())

    def _patience(self, load: _Load) -> float:
        """Return how many seconds it is still worth to wait."""
        return max(0.0, self._wait_seconds - load.seconds_so_far(self._clock()))

    def _load_of(self, key: Key) -> _Load:
        with self._lock:
            return self._loads.setdefault(key, _Load())


def _tell(version: Version, model: Model) -> None:
    """Write into the log and the metrics how a version was loaded."""
    name, number = version.name, version.number
    backend = model.backend
    logger.info(
        "loaded %s version %d on %s/%s", name, number, backend.name, backend.device
    )
    if model.fallback_code:
        metrics.FALLBACKS.labels(name, number, model.fallback_code).inc()
    if model.fallback_reason:
        logger.warning("%s falls back to TensorFlow: %s", name, model.fallback_reason)
    if model.warm_up:
        logger.warning("%s version %d is %s", name, number, model.warm_up)
    if model.variant_reason:
        logger.warning(
            "%s is not served as the variant that is named: %s",
            name,
            model.variant_reason,
        )
