"""The lookup: it finds the version of a model, and asks the disk as rarely as it can.

The search for the version that serves takes nine system calls (labels, names of folders
and their times), 17-25 us on every request. Here it takes one: while the time of the
model's folder stays the same, the last answer holds.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from bundle.params import MODEL_NAME
from bundle.spec import ModelSpec
from bundle.store import ModelStore
from bundle.store_errors import unloaded
from bundle.version import Version

# A change by hand inside a version's folder is seen at most so many seconds later.
FRESH_SECONDS = 0.5
# A folder's time has steps of up to 10 ms: a second change may leave it the same.
_STEP_NS = 20_000_000
# Clients may name any number or label, but only those that exist are kept; so there are
# few.
_LIMIT = 10_000


@dataclass(slots=True)
class _Found:
    version: Version
    folder: str
    changed_ns: int
    until: float


class Lookup:
    """Finds versions as ``ModelStore.find`` does; a model may also be unloaded.

    Every program that publishes, deletes, labels or revises a version changes the
    model's folder, or touches it (``bundle.version.touch``). So every process sees the
    change at once.

    Args:
        store: the store; it is asked when something may have changed.
        seconds: the time after which it is asked again in any case.
        clock: a clock in seconds that never goes back.
    """

    def __init__(
        self,
        store: ModelStore,
        seconds: float = FRESH_SECONDS,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._store = store
        self._root = store.root
        self._seconds = seconds
        self._clock = clock
        self._found: dict[ModelSpec, _Found] = {}

    def find(self, spec: ModelSpec) -> Version:
        """Return the version that a request means; see ``ModelStore.find``.

        Raises:
            ModelNotFound: the store has no such model, version or label, or the model
                is unloaded.
        """
        found = self._found.get(spec)
        if found is not None and self._clock() < found.until:
            try:
                if os.stat(found.folder).st_mtime_ns == found.changed_ns:  # noqa: PTH116
                    return found.version
            except OSError:
                pass  # the store says what is wrong
        self._found.pop(spec, None)
        name, number, label = spec
        if not MODEL_NAME.fullmatch(name):  # such a name must not become a path
            return self._store.find(name, number, label)
        until = self._clock() + self._seconds
        # The time is read before the rest, so a change meanwhile is seen next time.
        folder = str(Path(self._root, name))
        changed_ns = _changed_ns(folder)
        version = self._store.find(name, number, label)
        if self._store.is_unloaded(name):
            raise unloaded(name)
        if changed_ns + _STEP_NS < time.time_ns():
            if len(self._found) >= _LIMIT:
                self._found.clear()
            self._found[spec] = _Found(version, folder, changed_ns, until)
        return version

    def forget(self, name: str) -> None:
        """Ask the store for this model next time."""
        for spec in [spec for spec in list(self._found) if spec.name == name]:
            self._found.pop(spec, None)


def _changed_ns(folder: str) -> int:
    try:
        # Path.stat takes twice as long.
        return os.stat(folder).st_mtime_ns  # noqa: PTH116
    except OSError:
        return -1
