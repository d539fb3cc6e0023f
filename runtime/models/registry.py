"""The registry: models in memory. The store is the models on disk."""

from __future__ import annotations

import contextlib
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
from runtime.models.lookup import Lookup
from runtime.models.model import RETRY_SECONDS, Model
from runtime.process.lane import leave_the_quick_lane
from runtime.telemetry import metrics

logger = logging.getLogger(__name__)

# How long a request waits for a new version that another one loads. An ONNX of some
# megabytes takes a tenth of it, so that who asks after an upload gets the new one.
WAIT_SECONDS = 0.5

# A version that was asked for by its number is let go after so long, and loaded anew
# for the next one who asks: one of 300 MB that was looked at once must not stay.
PINNED_SECONDS = 300.0

_LOAD_ERRORS = (BundleError, BackendError, ProviderError)

# What a client is told of a failure that nobody foresaw; its reason is the log's alone.
_UNFORESEEN = "the server failed on it, and its log says why"


@dataclass
class _Held:
    """A version in memory.

    Attributes:
        origin: of its bundle, see ``origin_of``.
        pinned: when somebody last asked for it by its number; None if nobody did.
    """

    version: Version
    model: Model
    origin: tuple[int, ...]
    pinned: float | None = None


@dataclass(frozen=True)
class _Failure:
    version: Version
    sentence: str
    time: float


class _Loading:
    """Who holds ``lock`` loads a version.

    Attributes:
        since: when its holder began; None while nobody holds it.
    """

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.since: float | None = None

    def seconds_so_far(self, now: float) -> float:
        """How long it has been loading; 0 while nobody does."""
        return 0.0 if self.since is None else now - self.since


# A name and a version's number.
_Key = tuple[str, int]


class ModelRegistry:
    """Versions of models in memory; whoever asks for one version shares one ``Model``.

    A version is loaded on first use. When the store shows another one as the default,
    or under a label, that one is loaded before the old one is let go. One that cannot
    be loaded never replaces one that serves: for the newest, the newest before it that
    can be loaded stands in; for one labelled stable, what served before, in a fresh
    process the newest before it too, but never a newer one. Who names a number gets
    that version or its error. A version that gained or lost ONNX goes on as it was
    until it is loaded anew. Requests that hold an old model end on it.

    A version that nothing needs any more goes as soon as something replaces it: it is
    neither the default nor labelled, answers for neither, and nobody asked for its
    number lately.

    Args:
        store: asked on each request which version is meant, so that what another
            process publishes or labels is served here too.
        open_model: loads and warms a version.
        limit: versions kept; the one unused longest goes first.
        max_bytes: of their files, in all; one larger model is kept alone.
        lookup: finds the version that a request means; None asks the store each time.
        wait_seconds: that a request waits for a version that another one loads, if
            something else can answer it.
        clock: seconds that only go on.
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
    ) -> None:
        self._store = store
        self._open_model = open_model
        self._limit = limit
        self._max_bytes = max_bytes
        self._lookup = lookup or Lookup(store, seconds=0.0)
        self._wait_seconds = wait_seconds
        self._clock = clock
        self._lock = threading.Lock()  # of all below; never held while loading
        self._loaded: OrderedDict[_Key, _Held] = OrderedDict()
        self._failed: dict[_Key, _Failure] = {}
        # What answered last for a name and a label; None is the default.
        self._answered: dict[tuple[str, str | None], Version] = {}
        # When models are to be looked at again of which a number was named.
        self._due: dict[str, float] = {}
        self._first_due = math.inf
        self._loading: WeakValueDictionary[_Key, _Loading] = WeakValueDictionary()

    def get(self, spec: ModelSpec, instead: ModelSpec | None = None) -> Model:
        """The model that serves now.

        Args:
            spec: what is asked for.
            instead: what answers while another request loads ``spec`` for longer than
                it is waited for.

        Raises:
            ModelNotFound: the store has none of this name, version or label.
            BackendError: it cannot be opened, nor one that may stand in for it.
        """
        self._tidy_due()
        while True:
            # Asked on each turn: while this request waited, another may have loaded
            # it, or published a newer one.
            version = self._wanted(spec)
            if model := self._held(version):
                return self._answer(spec, version, model)
            leave_the_quick_lane(spec.name)
            if failed := self._failed_lately(version):
                return self._stand_in(spec, failed)
            loading = self._loading_of(version)
            if not loading.lock.acquire(timeout=self._patience(loading)):
                # Another request loads it, and a slow load must not hold every thread:
                # who has an old one answers with it.
                if old := self._old(spec, version):
                    return old
                if instead:
                    return self.get(instead)
                loading.lock.acquire()
            try:
                model = self._load_once(version, loading)
            finally:
                loading.lock.release()
            if model:
                return self._answer(spec, version, model)
            # It failed, or changed while it was read: what was found is not to be
            # believed any longer.
            self._lookup.forget(spec.name)

    def peek(self, name: str, version: int) -> Model | None:
        """The model if it is loaded, without loading it.

        Not the one that had the number before it was used again.
        """
        with self._lock:
            held = self._loaded.get((name, version))
        return held.model if held and self._is_there(held.version) else None

    def loaded(self) -> list[tuple[str, int]]:
        """Name and version of all that is in memory, sorted."""
        self._tidy_due()
        with self._lock:
            return sorted(self._loaded)

    def failure(self, name: str, version: int) -> str | None:
        """Why a version does not serve, if it was tried and could not."""
        with self._lock:
            failed = self._failed.get((name, version))
        return failed.sentence if failed and self._is_there(failed.version) else None

    def drop(self, name: str, version: int | None = None) -> None:
        """Let a version go, or all of a model's; requests that hold it end on it."""
        with self._lock:
            for key in [*self._loaded, *self._failed]:
                if key[0] == name and version in (None, key[1]):
                    self._loaded.pop(key, None)
                    self._failed.pop(key, None)
            for target, answered in [*self._answered.items()]:
                if target[0] == name and version in (None, answered.number):
                    del self._answered[target]
            self._count()

    def _wanted(self, spec: ModelSpec) -> Version:
        try:
            return self._lookup.find(spec.name, spec.version, spec.label)
        except ModelNotFound:
            if spec.label is None:
                self.drop(spec.name, spec.version)
            else:
                with self._lock:
                    before = self._answered.pop((spec.name, spec.label), None)
                if before is not None:
                    self.tidy(spec.name)
            raise

    def _held(self, version: Version) -> Model | None:
        """The model, if this very version is in memory."""
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
        """Keep what answers for a name and a label, and free what it replaced."""
        if spec.version is not None:
            with self._lock:
                if held := self._loaded.get((spec.name, spec.version)):
                    held.pinned = self._clock()
                    self._due.setdefault(spec.name, held.pinned + PINNED_SECONDS)
                    self._first_due = min(self._due.values())
            return model
        target = (spec.name, spec.label)
        if self._answered.get(target) is version:
            return model  # as for the request before, and the thousands before that
        with self._lock:
            before = self._answered.get(target)
            self._answered[target] = version
            # Who moves a label here asks for the version by number first; from now on
            # it goes when the label does, unless somebody asks so again.
            held = self._loaded.get((version.name, version.number))
            if held and before != version:
                held.pinned = None
        if before is not None and before.number != version.number:
            self.tidy(spec.name)
        return model

    def tidy(self, name: str, loaded: int | None = None) -> None:
        """Let go the versions of a model that nothing needs any more.

        And those that were trimmed or deleted, whoever asked for them.

        Args:
            name: the model.
            loaded: the version that has just come, for somebody who is about to use it.
        """
        with self._lock:
            held_of_name = [
                held for (name_, _), held in self._loaded.items() if name_ == name
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
            return  # it goes when it is the one unused longest
        now = self._clock()
        pinned: list[float] = []
        with self._lock:
            for label in outdated:
                if self._answered.get((name, label)) is answered[label]:
                    del self._answered[name, label]
            needed |= {v.number for (n, _), v in self._answered.items() if n == name}
            for held in held_of_name:
                key = (name, held.version.number)
                if held.version not in gone:
                    if held.version.number in needed:
                        continue
                    if held.pinned is not None and now - held.pinned < PINNED_SECONDS:
                        pinned.append(held.pinned)
                        continue
                if self._loaded.get(key) is held:
                    del self._loaded[key]
            self._count()
            self._due.pop(name, None)
            if pinned:
                self._due[name] = min(pinned) + PINNED_SECONDS
            self._first_due = min(self._due.values(), default=math.inf)

    def _tidy_due(self) -> None:
        """Look again at models of which a number was named a while ago.

        The next request does so, for any model: that needs no thread, and a request for
        one model frees the memory of another.
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
        """Whether another version than the last one answers from now on, for sure.

        One that is in memory does; one that is not may turn out to be broken, and the
        last one goes on then.
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
        """What may answer while a version cannot, if it is there and loaded.

        The same before it changed, or what answered last for a label or the default.
        Deleted, and its number used again, it may answer no more.
        """
        if before := self._before(version):
            return before
        old = self._answered_last(spec)
        return self._held(old) if old and self._is_there(old) else None

    def _before(self, version: Version) -> Model | None:
        """A version as it was before its ONNX came or went, if it is loaded."""
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

        Or with the same, from before it changed.
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
        # Where a label says which version answers, the one that bore it goes on (though
        # it may have been let go for others). Where the newest answers, this process
        # may never have been asked since there were newer ones than its last, which
        # answer elsewhere: all must agree.
        if spec.is_pinned or self._store.pointed(spec.name, STABLE):
            old = self._answered_last(spec)
            if old and old.number != broken.number and self._is_there(old):
                yield old
        if spec.is_pinned:
            return  # the client named a label, and no other version ever bore it here
        for number in reversed(self._store.versions(spec.name)):
            if number < broken.number:
                with contextlib.suppress(ModelNotFound):
                    yield self._store.version(spec.name, number)

    def _load_once(self, version: Version, loading: _Loading) -> Model | None:
        """Load a version, unless who held the lock before has; see ``_load``."""
        if (model := self._held(version)) or self._failed_lately(version):
            return model
        loading.since = self._clock()
        try:
            return self._load(version)
        finally:
            loading.since = None

    def _load(self, version: Version) -> Model | None:
        """Load a version; None if it failed, or is not there any more."""
        name, number = key = (version.name, version.number)
        start = time.perf_counter()
        try:
            model = self._open_model(version)
        # What nobody foresaw, too: a version that trips this code over must not keep
        # the one before it from answering.
        except Exception as ex:
            if self._is_there(version):
                why = str(ex) if isinstance(ex, _LOAD_ERRORS) else _UNFORESEEN
                logger.error(
                    "%s version %d cannot be loaded: %s", name, number, why, exc_info=ex
                )
                metrics.LOADS.labels(name, number, "failed").inc()
                sentence = f"model {name!r} version {number} cannot be loaded: {why}"
                with self._lock:
                    self._failed[key] = _Failure(version, sentence, self._clock())
            return None
        try:
            origin = origin_of(version.path)
        except OSError:
            return None
        # Deleted or changed while it was read: whoever asked looks again.
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
        self._keep(_Held(version, model, origin))
        return model

    def _keep(self, held: _Held) -> None:
        key = (held.version.name, held.version.number)
        with self._lock:
            self._failed.pop(key, None)
            self._loaded[key] = held
            self._loaded.move_to_end(key)
            while len(self._loaded) > 1 and (
                len(self._loaded) > self._limit or self._bytes() > self._max_bytes
            ):
                (name, number), _ = self._loaded.popitem(last=False)
                logger.info("%s version %d is let go for others", name, number)
            self._count()
        self.tidy(held.version.name, held.version.number)

    def _bytes(self) -> int:
        return sum(held.model.size_bytes for held in self._loaded.values())

    def _count(self) -> None:
        metrics.LOADED.set(len(self._loaded))
        metrics.LOADED_BYTES.set(self._bytes())

    def _patience(self, loading: _Loading) -> float:
        """How long it is still worth waiting, in seconds."""
        return max(0.0, self._wait_seconds - loading.seconds_so_far(self._clock()))

    def _loading_of(self, version: Version) -> _Loading:
        with self._lock:
            return self._loading.setdefault((version.name, version.number), _Loading())


def _is_still(held: _Held) -> bool:
    """Whether a version's bundle is there; ONNX may have come or gone."""
    try:
        return origin_of(held.version.path) == held.origin
    except OSError:
        return False
