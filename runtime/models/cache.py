"""The cache: the versions in memory, and how long each is kept."""

from __future__ import annotations

import contextlib
import math
import threading
from collections.abc import Callable

from bundle.errors import ModelNotFound, StoreError
from bundle.spec import ModelSpec
from bundle.store import ModelStore
from bundle.version import Version
from runtime.models.held import Held, HeldVersions, Key
from runtime.models.history import History
from runtime.models.model import Model

# A version that was asked for by its number is dropped after so long, and loaded again
# when somebody asks for it: one of 300 MB must not stay after a single look.
PINNED_SECONDS = 300.0


class ModelCache:
    """Versions in memory, each kept as long as it is needed; several threads use it.

    A version that is not needed any more is dropped as soon as something replaces it.
    It is not needed if it is neither the default nor labelled, answers for neither, did
    not answer until the last switch, and nobody asked for its number lately.

    Args:
        store: the store; it tells which versions are the default or labelled.
        limit: see ``HeldVersions``.
        max_bytes: see ``HeldVersions``.
        clock: a clock in seconds that never goes back.

    Attributes:
        first_due: the time when ``tidy_due`` has something to do; infinite if never.
    """

    def __init__(
        self,
        store: ModelStore,
        limit: int,
        max_bytes: int,
        clock: Callable[[], float],
    ) -> None:
        self._store = store
        self._clock = clock
        self._lock = threading.Lock()  # guards all below
        self._held = HeldVersions(limit, max_bytes)
        self._history = History()
        # The versions that answer while the lookup finds the same. All are forgotten
        # when one leaves the memory or the history, so none is kept in memory.
        self._serving: dict[ModelSpec, tuple[Version, Held]] = {}
        # The time to look again at a model, after one of its numbers was named.
        self._due: dict[str, float] = {}
        self.first_due = math.inf

    def serving(self, spec: ModelSpec, version: Version) -> Model | None:
        """Return the model that answered this request before, and note that it is used.

        Nearly every request is answered so, and this takes no lock.

        Args:
            spec: the model that is asked for.
            version: the very object that the lookup gave then; None is the answer for
                another one, even if it is equal.
        """
        serving = self._serving.get(spec)
        if serving is None or serving[0] is not version:
            return None
        held = serving[1]
        try:
            self._held.move_to_end(held.key)
        except KeyError:  # it was dropped
            return None
        return held.model

    def find(self, version: Version) -> Model | None:
        """Return the model, if this very version is in memory; note that it is used."""
        with self._lock:
            held = self._held.find(version)
        return held.model if held else None

    def find_before(self, version: Version) -> Model | None:
        """Return a version as it was before its ONNX came or went, if it is here."""
        held = self.held((version.name, version.number))
        if held is None or not held.is_still():
            return None
        with self._lock:
            if held.key in self._held:
                self._held.move_to_end(held.key)
        return held.model

    def held(self, key: Key) -> Held | None:
        """Return a version in memory by name and number; it does not count as used."""
        with self._lock:
            return self._held.get(key)

    def loaded(self) -> list[Key]:
        """Return name and number of all versions in memory, sorted."""
        with self._lock:
            return sorted(self._held)

    def last(self, spec: ModelSpec) -> Version | None:
        """Return the version that answered last; None if a number is asked for."""
        with self._lock:
            return self._history.last(spec)

    def answer(self, spec: ModelSpec, version: Version) -> None:
        """Note the version that answers for a name and a label, and free the last."""
        if spec.version is not None:
            with self._lock:
                if held := self._held.get((spec.name, spec.version)):
                    held.pinned = self._clock()
                    self._due.setdefault(spec.name, held.pinned + PINNED_SECONDS)
                    self.first_due = min(self._due.values())
            return
        with self._lock:
            before = self._history.last(spec)
            is_switch = self._history.note(spec, version, self._clock())
            # A client that moves a label asks for the version by its number before. The
            # version is now kept for its label alone, unless somebody asks so again.
            held = self._held.get((version.name, version.number))
            if held and before != version:
                held.pinned = None
            if held and held.version == version:
                self._serving[spec] = version, held
        if is_switch:
            self.tidy(spec.name)

    def keep(self, held: Held) -> None:
        """Keep a version that was just loaded, and drop what it replaces."""
        with self._lock:
            self._serving.clear()
            before = self._held.get(held.key)
            if before is not None and before.version == held.version:
                held.pinned = before.pinned  # it was opened again
            self._held[held.key] = held
            self._held.move_to_end(held.key)
            self._held.make_room(held.key, self._history.spare())
            self._held.count()
        self.tidy(held.version.name, held.version.number)

    def drop(self, name: str, number: int | None = None) -> None:
        """Drop a version, or all versions of a model."""
        with self._lock:
            self._serving.clear()
            for held in self._held.named(name):
                if number in (None, held.version.number):
                    del self._held[held.key]
            self._history.drop(name, number)
            self._held.count()

    def forget_label(self, spec: ModelSpec) -> None:
        """Forget what answered for a label that the store lacks, and free it."""
        with self._lock:
            self._serving.clear()
            was_known = self._history.forget(spec)
        if was_known:
            self.tidy(spec.name)

    def resize(self, limit: int, max_bytes: int) -> None:
        """Keep at most so many versions and bytes from now on."""
        with self._lock:
            self._held.limit = limit
            self._held.max_bytes = max_bytes
            newest = next(reversed(self._held), None)
            self._held.make_room(newest, self._history.spare())
            self._held.count()

    def tidy_due(self) -> None:
        """Look again at models one of whose versions was kept for a while.

        The next request for any model does this. So no thread is needed, and a request
        for one model frees the memory of another.
        """
        if self.first_due == math.inf or (now := self._clock()) < self.first_due:
            return
        with self._lock:
            due = [name for name, when in self._due.items() if now >= when]
            for name in due:
                del self._due[name]
            self.first_due = min(self._due.values(), default=math.inf)
        for name in due:
            self.tidy(name)

    def tidy(self, name: str, loaded: int | None = None) -> None:
        """Drop the versions of a model that are not needed any more.

        Versions that were trimmed or deleted go in any case.

        Args:
            name: the model.
            loaded: the version that was just loaded, and is about to be used.
        """
        with self._lock:
            held_of_name = self._held.named(name)
            answering = self._history.answering(name)
        try:
            needed = {loaded, *self._store.labels(name).values()}
            with contextlib.suppress(ModelNotFound):
                needed.add(self._store.current(name).number)
            outdated = {
                label: version
                for label, version in answering.items()
                if self._is_outdated(name, label, version)
            }
            gone = {held.version for held in held_of_name if not held.is_still()}
        except StoreError:
            return  # they are dropped later, when they are unused longest
        now = self._clock()
        due: list[float] = []
        with self._lock:
            self._serving.clear()
            self._history.leave(name, outdated, now)
            needed |= {v.number for v in self._history.answering(name).values()}
            for held in held_of_name:
                if held.version not in gone:
                    if held.version.number in needed:
                        continue
                    until = self._until(held)
                    if now < until:
                        due.append(until)
                        continue
                if self._held.get(held.key) is held:
                    del self._held[held.key]
            self._held.count()
            self._due.pop(name, None)
            if due:
                self._due[name] = min(due)
            self.first_due = min(self._due.values(), default=math.inf)

    def _until(self, held: Held) -> float:
        """Return the time until which a version that does not serve is kept."""
        pinned = -math.inf if held.pinned is None else held.pinned + PINNED_SECONDS
        return max(pinned, self._history.until(held.version))

    def _is_outdated(self, name: str, label: str | None, answered: Version) -> bool:
        """Tell whether another version certainly answers from now on.

        A version that is in memory does. Another one may turn out to be broken, and
        then the last one goes on.
        """
        with contextlib.suppress(ModelNotFound):
            version = self._store.find(name, label=label)
            held = self.held((name, version.number))
            return version.number != answered.number and (
                held is not None and held.version == version
            )
        return False
