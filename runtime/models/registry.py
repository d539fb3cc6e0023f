"""The registry keeps models in memory; the store keeps models on disk."""

from __future__ import annotations

import contextlib
import functools
import logging
import math
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from weakref import WeakValueDictionary

from bundle.errors import BundleError, ModelNotFound, StoreError
from bundle.spec import ModelSpec
from bundle.store import ModelStore
from bundle.version import Version, origin_of
from bundle.version_labels import STABLE
from runtime.errors import BackendError, ProviderError
from runtime.lane import elsewhere
from runtime.models.lookup import Lookup
from runtime.models.model import RETRY_SECONDS, Model
from runtime.telemetry import metrics

logger = logging.getLogger(__name__)

# A request waits so long for a new version that another request loads. An ONNX of some
# megabytes takes a tenth of it, so a client that asks after an upload gets the new one.
WAIT_SECONDS = 0.5

# A version that was asked for by its number is dropped after so long, and loaded again
# when somebody asks for it: one of 300 MB must not stay after a single look.
PINNED_SECONDS = 300.0

# The version that answered before the last switch is kept for so long, so that a
# rollback needs no load. Memory for both was needed at the switch in any case.
LEFT_SECONDS = 300.0

_LOAD_ERRORS = (BundleError, BackendError, ProviderError)

# A client gets this text for an unexpected failure; the log alone gets its reason.
_UNFORESEEN = "the server failed on it, and its log says why"


@dataclass
class _Held:
    """A version in memory.

    Attributes:
        origin: the origin of its bundle; see ``origin_of``.
        since: the time when its load began.
        pinned: the time when somebody last asked for it by its number; None if nobody
            did.
    """

    version: Version
    model: Model
    origin: tuple[int, ...]
    since: float = -math.inf
    pinned: float | None = None

    def __post_init__(self) -> None:
        self.key = (self.version.name, self.version.number)


@dataclass(frozen=True)
class _Failure:
    version: Version
    sentence: str
    time: float


class _Loading:
    """The loading of one version; the thread that holds ``lock`` does it.

    Attributes:
        since: the time when that thread began; None while no thread holds the lock.
    """

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.since: float | None = None

    def seconds_so_far(self, now: float) -> float:
        """Return how long it has been loading; 0 while no thread loads it."""
        return 0.0 if self.since is None else now - self.since


# A name and a version's number.
_Key = tuple[str, int]


class ModelRegistry:
    """Versions of models in memory; all who ask for one version share one ``Model``.

    A version is loaded on first use. When the store shows another default, or another
    version under a label, the new version is loaded before the old one is dropped. A
    version that cannot be loaded never replaces one that serves:

    - For the newest version, the newest earlier one that can be loaded stands in.
    - For a version labelled ``stable``, the version that served before stands in; in a
      fresh process the newest earlier one, and never a newer one.
    - A request that names a number gets that version or its error.

    A version that gained or lost ONNX serves as it was until it is loaded anew.
    Requests that use an old model finish on it.

    A version that is not needed any more is dropped as soon as something replaces it.
    It is not needed if it is neither the default nor labelled, answers for neither, did
    not answer until the last switch, and nobody asked for its number lately.

    Args:
        store: the store; it is asked on each request for the version, so a version that
            another process publishes or labels is served here too.
        open_model: the function that loads and warms a version.
        limit: the most versions that are kept; the one unused longest is dropped first.
        max_bytes: the most bytes of their files together; one larger model is kept
            alone.
        lookup: the lookup that finds the version of a request; None asks the store each
            time.
        wait_seconds: the time that a request waits for a version that another one
            loads, if something else can answer it.
        source: the store from which a version comes that ``store`` does not have; None
            if there is no other one.
        clock: a clock in seconds that never goes back.
    """

    def __init__(
        self,
        store: ModelStore,
        open_model: Callable[[Version], Model],
        limit: int,
        max_bytes: int = 1 << 62,
        lookup: Lookup | None = None,
        wait_seconds: float = WAIT_SECONDS,
        clock: Callable[[], float] = time.monotonic,
        source: ModelStore | None = None,
    ) -> None:
        self._store = store
        self._source = None if source is store else source
        self._open_model = open_model
        self._limit = limit
        self._max_bytes = max_bytes
        self._lookup = lookup or Lookup(store, seconds=0.0)
        self._wait_seconds = wait_seconds
        self._clock = clock
        self._lock = threading.Lock()  # guards all below; not held during a load
        # A request that takes no lock may move a key, so loops go over a copy.
        self._loaded: OrderedDict[_Key, _Held] = OrderedDict()
        self._failed: dict[_Key, _Failure] = {}
        # The version that answered last for a name and a label; None is the default.
        self._answered: dict[tuple[str, str | None], Version] = {}
        # The version that answered before the last switch, and the time of the switch.
        self._left: dict[tuple[str, str | None], tuple[Version, float]] = {}
        # The versions that answer while the lookup finds the same. All are forgotten
        # when a model leaves ``_loaded`` or ``_answered``, so none is kept in memory.
        self._serving: dict[ModelSpec, tuple[Version, _Held]] = {}
        # The time to look again at a model, after one of its numbers was named.
        self._due: dict[str, float] = {}
        self._first_due = math.inf
        self._loading: WeakValueDictionary[_Key, _Loading] = WeakValueDictionary()

    def get(self, spec: ModelSpec, instead: ModelSpec | None = None) -> Model:
        """Return the model that serves now, loaded if need be.

        Args:
            spec: the model that is asked for.
            instead: the model that answers if another request loads ``spec``, and takes
                longer than this request waits.

        Raises:
            ModelNotFound: the store has no model of this name, version or label.
            StoreUnreachable: it is not on this machine, and cannot be fetched.
            BackendError: it cannot be opened, and no other version may stand in.
        """
        is_fetched = False
        if self._first_due != math.inf:
            self._tidy_due()
        while True:
            # The store is asked on each turn. While this request waited, another may
            # have loaded the version, or published a newer one.
            try:
                version = self._lookup.find(spec)
            except ModelNotFound:
                if is_fetched or not self._fetch(spec):
                    self._forget(spec)
                    raise
                is_fetched = True
                continue
            serving = self._serving.get(spec)
            if serving is not None:
                found, held = serving
                if found is version and self._is_used(held):
                    # Nearly every request ends here, so this takes no lock.
                    return held.model
            if model := self._held(version):
                return self._answer(spec, version, model)
            # A load takes long, and so may the wait for another request's load.
            get = functools.partial(self._get_slowly, spec, instead, version)
            if model := elsewhere(get, spec.name):
                return model
            # It failed, or changed while it was read, so the lookup's answer may be
            # out of date.
            self._lookup.forget(spec.name)

    def _fetch(self, spec: ModelSpec) -> bool:
        """Bring a version here that another store has; False if there is no such store.

        Raises:
            ModelNotFound: the other store has no such version.
            StoreUnreachable: it does not answer.
        """
        if self._source is None:
            return False
        try:
            # Clients may invent names, and none of those may take a thread.
            self._source.check_there(spec)
            elsewhere(functools.partial(self._source.find, *spec), spec.name)
        except ModelNotFound:
            self._forget(spec)
            raise
        return True

    def _get_slowly(
        self, spec: ModelSpec, instead: ModelSpec | None, version: Version
    ) -> Model | None:
        """Load the version, or let another model answer; None if it must be tried anew.

        Raises:
            BackendError: it cannot be opened, and no other version may stand in.
        """
        if failed := self._failed_lately(version):
            return self._stand_in(spec, failed)
        loading = self._loading_of(version)
        if not loading.lock.acquire(timeout=self._patience(loading)):
            # Another request loads it, and a slow load must not hold all threads: a
            # request that has an old model answers with that one.
            if old := self._old(spec, version):
                return old
            if instead:
                return self.get(instead)
            loading.lock.acquire()
        try:
            model = self._load_once(version, loading)
        finally:
            loading.lock.release()
        return self._answer(spec, version, model) if model else None

    def peek(self, name: str, version: int) -> Model | None:
        """Return the model if it is loaded, without loading it.

        A deleted model whose number was used again does not count.
        """
        with self._lock:
            held = self._loaded.get((name, version))
        return held.model if held and self._is_there(held.version) else None

    def loaded(self) -> list[tuple[str, int]]:
        """Return name and version of all models in memory, sorted.

        Versions that another process deleted or unloaded are dropped.
        """
        self._tidy_due()
        with self._lock:
            held = sorted(self._loaded)
        with contextlib.suppress(StoreError):  # all stay while nobody can look
            for name, number in held:
                if number not in self._store.versions(name) or self._store.is_unloaded(
                    name
                ):
                    self.drop(name, number)
        with self._lock:
            return sorted(self._loaded)

    def failure(self, name: str, version: int) -> str | None:
        """Tell why a version does not serve, if it was tried and could not."""
        with self._lock:
            failed = self._failed.get((name, version))
        return failed.sentence if failed and self._is_there(failed.version) else None

    def drop(self, name: str, version: int | None = None) -> None:
        """Drop a version, or all versions of a model; requests that use it finish."""
        with self._lock:
            self._serving.clear()
            for key in [*self._loaded, *self._failed]:
                if key[0] == name and version in (None, key[1]):
                    self._loaded.pop(key, None)
                    self._failed.pop(key, None)
            for target, answered in [*self._answered.items()]:
                if target[0] == name and version in (None, answered.number):
                    del self._answered[target]
            for target, (left, _) in [*self._left.items()]:
                if target[0] == name and version in (None, left.number):
                    del self._left[target]
            self._count()

    def resize(self, limit: int, max_bytes: int) -> None:
        """Keep at most so many versions and bytes from now on; see the class."""
        with self._lock:
            self._limit = limit
            self._max_bytes = max_bytes
            self._make_room(next(reversed(self._loaded), None))
            self._count()

    def reopen(self, is_changed: Callable[[str], bool]) -> None:
        """Open versions that are in memory anew, because their options changed.

        Each serves as it was until it is open, and goes on so if it cannot be opened.
        A load that has begun before may have the old options, and is waited for.

        Args:
            is_changed: tells by a model's name whether its options changed.
        """
        asked = self._clock()
        with self._lock:
            keys = {*self._loaded, *self._loading}
        for key in sorted(one for one in keys if is_changed(one[0])):
            with self._lock:
                loading = self._loading.setdefault(key, _Loading())
            with loading.lock:
                with self._lock:
                    held = self._loaded.get(key)
                if held is None or held.since > asked:
                    continue
                loading.since = self._clock()
                try:
                    self._load(held.version, is_again=True)
                finally:
                    loading.since = None

    def _is_used(self, held: _Held) -> bool:
        """Tell whether a version is in memory, and note that it is used."""
        try:
            self._loaded.move_to_end(held.key)
        except KeyError:  # it was dropped
            return False
        return True

    def _forget(self, spec: ModelSpec) -> None:
        """Drop what answered for a model, version or label that the store lacks."""
        if spec.label is None:
            self.drop(spec.name, spec.version)
            return
        with self._lock:
            self._serving.clear()
            before = self._answered.pop((spec.name, spec.label), None)
            self._left.pop((spec.name, spec.label), None)
        if before is not None:
            self.tidy(spec.name)

    def _held(self, version: Version) -> Model | None:
        """Return the model, if this very version is in memory."""
        key = (version.name, version.number)
        with self._lock:
            held = self._loaded.get(key)
            if held is None or (
                held.version is not version and held.version != version
            ):
                return None
            self._loaded.move_to_end(key)
        return held.model

    def _answer(self, spec: ModelSpec, version: Version, model: Model) -> Model:
        """Note the version that answers for a name and a label, and free the last."""
        if spec.version is not None:
            with self._lock:
                if held := self._loaded.get((spec.name, spec.version)):
                    held.pinned = self._clock()
                    self._due.setdefault(spec.name, held.pinned + PINNED_SECONDS)
                    self._first_due = min(self._due.values())
            return model
        target = (spec.name, spec.label)
        with self._lock:
            before = self._answered.get(target)
            self._answered[target] = version
            # A client that moves a label asks for the version by its number before. The
            # version is now kept for its label alone, unless somebody asks so again.
            held = self._loaded.get((version.name, version.number))
            if held and before != version:
                held.pinned = None
            if held and held.version == version:
                self._serving[spec] = version, held
            is_switch = before is not None and before.number != version.number
            if before is not None and is_switch:
                self._left[target] = before, self._clock()
        if is_switch:
            self.tidy(spec.name)
        return model

    def tidy(self, name: str, loaded: int | None = None) -> None:
        """Drop the versions of a model that are not needed any more.

        Versions that were trimmed or deleted go in any case.

        Args:
            name: the model.
            loaded: the version that was just loaded, and is about to be used.
        """
        with self._lock:
            held_of_name = [
                held for (name_, _), held in list(self._loaded.items()) if name_ == name
            ]
            answered = {
                label: version
                for (name_, label), version in self._answered.items()
                if name_ == name
            }
        try:
            needed = {loaded, *self._store.labels(name).values()}
            with contextlib.suppress(ModelNotFound):
                needed.add(self._store.current(name).number)
            outdated = [
                label
                for label, version in answered.items()
                if self._is_outdated(name, label, version)
            ]
            gone = {held.version for held in held_of_name if not _is_still(held)}
        except StoreError:
            return  # they are dropped later, when they are unused longest
        now = self._clock()
        due: list[float] = []
        with self._lock:
            self._serving.clear()
            for label in outdated:
                if self._answered.get((name, label)) is answered[label]:
                    del self._answered[name, label]
                    self._left[name, label] = answered[label], now
            needed |= {v.number for (n, _), v in self._answered.items() if n == name}
            for held in held_of_name:
                key = (name, held.version.number)
                if held.version not in gone:
                    if held.version.number in needed:
                        continue
                    until = self._until(held)
                    if now < until:
                        due.append(until)
                        continue
                if self._loaded.get(key) is held:
                    del self._loaded[key]
            self._count()
            self._due.pop(name, None)
            if due:
                self._due[name] = min(due)
            self._first_due = min(self._due.values(), default=math.inf)

    def _until(self, held: _Held) -> float:
        """Return the time until which a version that does not serve is kept."""
        until = -math.inf if held.pinned is None else held.pinned + PINNED_SECONDS
        for (name, _), (version, since) in self._left.items():
            if name == held.version.name and version == held.version:
                until = max(until, since + LEFT_SECONDS)
        return until

    def _tidy_due(self) -> None:
        """Look again at models one of whose versions was kept for a while.

        The next request for any model does this. So no thread is needed, and a request
        for one model frees the memory of another.
        """
        if self._first_due == math.inf or (now := self._clock()) < self._first_due:
            return
        with self._lock:
            due = [name for name, when in self._due.items() if now >= when]
            for name in due:
                del self._due[name]
            self._first_due = min(self._due.values(), default=math.inf)
        for name in due:
            self.tidy(name)

    def _is_outdated(self, name: str, label: str | None, answered: Version) -> bool:
        """Tell whether another version certainly answers from now on.

        A version that is in memory does. Another one may turn out to be broken, and
        then the last one goes on.
        """
        with contextlib.suppress(ModelNotFound):
            version = self._store.find(name, label=label)
            with self._lock:
                held = self._loaded.get((name, version.number))
            return version.number != answered.number and (
                held is not None and held.version == version
            )
        return False

    def _failed_lately(self, version: Version) -> _Failure | None:
        with self._lock:
            failed = self._failed.get((version.name, version.number))
        if (
            failed is None
            or failed.version != version
            or self._clock() - failed.time >= RETRY_SECONDS
        ):
            return None
        return failed

    def _old(self, spec: ModelSpec, version: Version) -> Model | None:
        """Return the model that may answer while a version cannot, if it is loaded.

        It is the same version before it changed, or the version that answered last for
        a label or the default. A deleted one whose number is used again may not answer.
        """
        if before := self._before(version):
            return before
        old = self._answered_last(spec)
        return self._held(old) if old and self._is_there(old) else None

    def _before(self, version: Version) -> Model | None:
        """Return a version as it was before its ONNX came or went, if it is loaded."""
        key = (version.name, version.number)
        with self._lock:
            held = self._loaded.get(key)
        if held is None or not _is_still(held):
            return None
        with self._lock:
            if key in self._loaded:
                self._loaded.move_to_end(key)
        return held.model

    def _answered_last(self, spec: ModelSpec) -> Version | None:
        if spec.version is not None:
            return None
        with self._lock:
            return self._answered.get((spec.name, spec.label))

    def _is_there(self, version: Version) -> bool:
        try:
            return self._store.version(version.name, version.number) == version
        except ModelNotFound:
            return False

    def _stand_in(self, spec: ModelSpec, failed: _Failure) -> Model:
        """Answer with another version than the one that cannot be loaded.

        It may also be the same version, as it was before it changed.
        """
        if before := self._before(failed.version):
            return before
        old = self._old(spec, failed.version)
        for version in self._stand_ins(spec, failed.version):
            if old and old.version == version.number:
                return old
            loading = self._loading_of(version)
            wait = self._patience(loading) if old else -1
            if not loading.lock.acquire(timeout=wait) and old:
                return old
            try:
                model = self._load_once(version, loading)
            finally:
                loading.lock.release()
            if model:
                return self._answer(spec, version, model)
        raise BackendError(failed.sentence)

    def _stand_ins(self, spec: ModelSpec, broken: Version) -> Iterator[Version]:
        # Where a label decides, the version that had it before goes on, even if it was
        # dropped for others meanwhile. Where the newest version decides, this process
        # may have missed newer ones than its last, which answer in other processes. All
        # processes must agree.
        if spec.is_pinned or self._store.pointed(spec.name, STABLE):
            old = self._answered_last(spec)
            if old and old.number != broken.number and self._is_there(old):
                yield old
        if spec.is_pinned:
            return  # the client named a label, which no other version ever had here
        for number in reversed(self._store.versions(spec.name)):
            if number < broken.number:
                with contextlib.suppress(ModelNotFound):
                    yield self._store.version(spec.name, number)

    def _load_once(self, version: Version, loading: _Loading) -> Model | None:
        """Load a version, unless the lock's last holder did; see ``_load``."""
        if (model := self._held(version)) or self._failed_lately(version):
            return model
        loading.since = self._clock()
        try:
            return self._load(version)
        finally:
            loading.since = None

    def _load(self, version: Version, is_again: bool = False) -> Model | None:
        """Load a version; return None if it failed, or was deleted.

        One that is loaded again goes on as it was if that fails.
        """
        name, number = key = (version.name, version.number)
        start, since = time.perf_counter(), self._clock()
        try:
            model = self._open_model(version)
        # Unexpected errors are caught too: a version that this code fails on must not
        # keep the version before it from answering.
        except Exception as ex:
            if self._is_there(version):
                why = str(ex) if isinstance(ex, _LOAD_ERRORS) else _UNFORESEEN
                logger.error(
                    "%s version %d cannot be loaded: %s", name, number, why, exc_info=ex
                )
                metrics.LOADS.labels(name, number, "failed").inc()
                if is_again:
                    return None
                sentence = f"model {name!r} version {number} cannot be loaded: {why}"
                with self._lock:
                    self._failed[key] = _Failure(version, sentence, self._clock())
            return None
        try:
            origin = origin_of(version.path)
        except OSError:
            return None
        # If it was deleted or changed while it was read, the caller looks again.
        if not self._is_there(version):
            return None
        metrics.LOADS.labels(name, number, "ok").inc()
        metrics.LOAD_SECONDS.labels(name).observe(time.perf_counter() - start)
        logger.info(
            "loaded %s version %d on %s/%s",
            name,
            number,
            model.backend.name,
            model.backend.device,
        )
        if model.fallback_code:
            metrics.FALLBACKS.labels(name, number, model.fallback_code).inc()
        if model.fallback_reason:
            logger.warning(
                "%s falls back to TensorFlow: %s", name, model.fallback_reason
            )
        if model.warm_up:
            logger.warning("%s version %d is %s", name, number, model.warm_up)
        if model.variant_reason:
            logger.warning(
                "%s is not served as the variant that is named: %s",
                name,
                model.variant_reason,
            )
        self._keep(_Held(version, model, origin, since))
        return model

    def _keep(self, held: _Held) -> None:
        key = (held.version.name, held.version.number)
        with self._lock:
            self._failed.pop(key, None)
            self._serving.clear()
            before = self._loaded.get(key)
            if before is not None and before.version == held.version:
                held.pinned = before.pinned  # it was opened again
            self._loaded[key] = held
            self._loaded.move_to_end(key)
            self._make_room(key)
            self._count()
        self.tidy(held.version.name, held.version.number)

    def _make_room(self, key: _Key | None) -> None:
        """Drop versions that are too many, but for the one whose key is given."""
        while (
            key is not None
            and len(self._loaded) > 1
            and (len(self._loaded) > self._limit or self._bytes() > self._max_bytes)
        ):
            oldest = self._first_to_go(key)
            del self._loaded[oldest]
            logger.info("%s version %d is dropped for others", *oldest)

    def _first_to_go(self, key: _Key) -> _Key:
        """Choose the version that makes room for another one, whose key is given.

        It is one that is kept for a rollback alone, or else the one unused longest.
        """
        # A request may move a key meanwhile, so the first need not be the oldest.
        others = {one: held for one, held in list(self._loaded.items()) if one != key}
        left = {(v.name, v.number) for v, _ in self._left.values()}
        left -= {(v.name, v.number) for v in self._answered.values()}
        spare = (o for o, held in others.items() if o in left and held.pinned is None)
        return next(spare, next(iter(others)))

    def _bytes(self) -> int:
        return sum(held.model.size_bytes for held in list(self._loaded.values()))

    def _count(self) -> None:
        metrics.LOADED.set(len(self._loaded))
        metrics.LOADED_BYTES.set(self._bytes())

    def _patience(self, loading: _Loading) -> float:
        """Return how many seconds it is still worth to wait."""
        return max(0.0, self._wait_seconds - loading.seconds_so_far(self._clock()))

    def _loading_of(self, version: Version) -> _Loading:
        with self._lock:
            return self._loading.setdefault((version.name, version.number), _Loading())


def _is_still(held: _Held) -> bool:
    """Tell whether a version's bundle is still there; ONNX may have come or gone."""
    try:
        return origin_of(held.version.path) == held.origin
    except OSError:
        return False
