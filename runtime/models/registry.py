"""The registry keeps models in memory; the store keeps models on disk."""

from __future__ import annotations

import contextlib
import functools
import math
import time
from collections.abc import Callable, Iterator

from bundle.errors import ModelNotFound, StoreError
from bundle.spec import ModelSpec
from bundle.store import ModelStore
from bundle.version import Version
from bundle.version_labels import STABLE
from runtime.errors import BackendError
from runtime.lane import elsewhere
from runtime.models.cache import ModelCache
from runtime.models.held import is_there
from runtime.models.loading import Loader, StillLoading
from runtime.models.lookup import Lookup
from runtime.models.model import Model

# A request waits so long for a new version that another request loads. An ONNX of some
# megabytes takes a tenth of it, so a client that asks after an upload gets the new one.
WAIT_SECONDS = 0.5


class ModelRegistry:
    """Versions of models in memory; all who ask for one version share one ``Model``.

    A version is loaded on first use. When the store shows another default, or another
    version under a label, the new version is loaded before the old one is dropped
    (``ModelCache`` tells when). A version that cannot be loaded never replaces one that
    serves:

    - For the newest version, the newest earlier one that can be loaded stands in.
    - For a version labelled ``stable``, the version that served before stands in; in a
      fresh process the newest earlier one, and never a newer one.
    - A request that names a number gets that version or its error.

    A version that gained or lost ONNX serves as it was until it is loaded anew.
    Requests that use an old model finish on it.

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
        self._lookup = lookup or Lookup(store, seconds=0.0)
        self._cache = ModelCache(store, limit, max_bytes, clock)
        self._loader = Loader(store, self._cache, open_model, wait_seconds, clock)

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
        if self._cache.first_due != math.inf:
            self._cache.tidy_due()
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
            if model := self._cache.serving(spec, version):
                return model  # nearly every request ends here
            if model := self._cache.find(version):
                self._cache.answer(spec, version)
                return model
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
        if why := self._loader.failed_lately(version):
            return self._stand_in(spec, version, why)
        with contextlib.suppress(StillLoading):
            return self._load(spec, version, is_waiting=False)
        # Another request loads it, and a slow load must not hold all threads: a request
        # that has an old model answers with that one.
        if old := self._old(spec, version):
            return old
        if instead:
            return self.get(instead)
        return self._load(spec, version, is_waiting=True)

    def _load(
        self, spec: ModelSpec, version: Version, *, is_waiting: bool
    ) -> Model | None:
        """Load a version, and note that it answers; see ``Loader.load``."""
        model = self._loader.load(version, is_waiting=is_waiting)
        if model:
            self._cache.answer(spec, version)
        return model

    def peek(self, name: str, version: int) -> Model | None:
        """Return the model if it is loaded, without loading it.

        A deleted model whose number was used again does not count.
        """
        held = self._cache.held((name, version))
        return held.model if held and is_there(self._store, held.version) else None

    def loaded(self) -> list[tuple[str, int]]:
        """Return name and version of all models in memory, sorted.

        Versions that another process deleted or unloaded are dropped.
        """
        self._cache.tidy_due()
        with contextlib.suppress(StoreError):  # all stay while nobody can look
            for name, number in self._cache.loaded():
                if number not in self._store.versions(name) or self._store.is_unloaded(
                    name
                ):
                    self.drop(name, number)
        return self._cache.loaded()

    def failure(self, name: str, version: int) -> str | None:
        """Tell why a version does not serve, if it was tried and could not."""
        return self._loader.failure(name, version)

    def drop(self, name: str, version: int | None = None) -> None:
        """Drop a version, or all versions of a model; requests that use it finish."""
        self._cache.drop(name, version)
        self._loader.forget(name, version)

    def tidy(self, name: str) -> None:
        """Drop the versions of a model that are not needed any more."""
        self._cache.tidy(name)

    def resize(self, limit: int, max_bytes: int) -> None:
        """Keep at most so many versions and bytes from now on; see the class."""
        self._cache.resize(limit, max_bytes)

    def reopen(self, is_changed: Callable[[str], bool]) -> None:
        """Open versions that are in memory anew, because their options changed.

        Each serves as it was until it is open, and goes on so if it cannot be opened.
        A load that has begun before may have the old options, and is waited for.

        Args:
            is_changed: tells by a model's name whether its options changed.
        """
        self._loader.reopen(is_changed)

    def _forget(self, spec: ModelSpec) -> None:
        """Drop what answered for a model, version or label that the store lacks."""
        if spec.label is None:
            self.drop(spec.name, spec.version)
        else:
            self._cache.forget_label(spec)

    def _old(self, spec: ModelSpec, version: Version) -> Model | None:
        """Return the model that may answer while a version cannot, if it is loaded.

        It is the same version before it changed, or the version that answered last for
        a label or the default. A deleted one whose number is used again may not answer.
        """
        if before := self._cache.find_before(version):
            return before
        old = self._cache.last(spec)
        return self._cache.find(old) if old and is_there(self._store, old) else None

    def _stand_in(self, spec: ModelSpec, broken: Version, why: str) -> Model:
        """Answer with another version than the one that cannot be loaded.

        It may also be the same version, as it was before it changed.
        """
        if before := self._cache.find_before(broken):
            return before
        old = self._old(spec, broken)
        for version in self._stand_ins(spec, broken):
            if old and old.version == version.number:
                return old
            try:
                model = self._load(spec, version, is_waiting=old is None)
            except StillLoading:
                assert old is not None, "without it, the load is waited for"
                return old
            if model:
                return model
        raise BackendError(why)

    def _stand_ins(self, spec: ModelSpec, broken: Version) -> Iterator[Version]:
        # Where a label decides, the version that had it before goes on, even if it was
        # dropped for others meanwhile. Where the newest version decides, this process
        # may have missed newer ones than its last, which answer in other processes. All
        # processes must agree.
        if spec.is_pinned or self._store.pointed(spec.name, STABLE):
            old = self._cache.last(spec)
            if old and old.number != broken.number and is_there(self._store, old):
                yield old
        if spec.is_pinned:
            return  # the client named a label, which no other version ever had here
        for number in reversed(self._store.versions(spec.name)):
            if number < broken.number:
                with contextlib.suppress(ModelNotFound):
                    yield self._store.version(spec.name, number)
