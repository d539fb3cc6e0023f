"""Which version of a model is meant, asked of the disk no oftener than needed.

To know which version serves takes nine system calls (labels, the folders' names, what
tells one state of a folder from another), 17-25 us on every request. Here it takes one:
while the model's folder has the time that it had, the answer is the one of before.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from bundle.params import MODEL_NAME
from bundle.store import ModelStore
from bundle.version import Version

# What is changed by hand inside of a version, and not beside it, is seen so much later.
FRESH_SECONDS = 0.5
# A folder's time steps by up to 10 ms: what changed so lately may change again unseen.
_STEP_NS = 20_000_000
# Pinned numbers and labels are clients' to name; but those that are not there are not
# kept, so there are few.
_LIMIT = 10_000

_Key = tuple[str, int | None, str | None]


@dataclass(slots=True)
class _Found:
    version: Version
    folder: str
    changed_ns: int
    until: float


class Lookup:
    """Finds versions as ``ModelStore.find`` does.

    Whoever publishes, deletes, labels or revises a version changes the model's folder,
    or touches it (``bundle.version.touch``), and is seen at once by every process.

    Args:
        store: is asked when something may have changed.
        seconds: after which it is asked again, whatever was seen.
        clock: seconds that only go on.
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
        self._found: dict[_Key, _Found] = {}

    def find(
        self, name: str, number: int | None = None, label: str | None = None
    ) -> Version:
        """See ``ModelStore.find``.

        Raises:
            ModelNotFound: there is none.
        """
        key = (name, number, label)
        found = self._found.get(key)
        if (
            found is not None
            and self._clock() < found.until
            and _changed_ns(found.folder) == found.changed_ns
        ):
            return found.version
        self._found.pop(key, None)
        if not MODEL_NAME.fullmatch(name):  # no path is made of it
            return self._store.find(name, number, label)
        until = self._clock() + self._seconds
        # Looked at before the rest: what changes meanwhile shows the next time.
        folder = str(Path(self._root, name))
        changed_ns = _changed_ns(folder)
        version = self._store.find(name, number, label)
        if changed_ns + _STEP_NS < time.time_ns():
            if len(self._found) >= _LIMIT:
                self._found.clear()
            self._found[key] = _Found(version, folder, changed_ns, until)
        return version

    def forget(self, name: str) -> None:
        """Ask the store for this model next time."""
        for key in [key for key in list(self._found) if key[0] == name]:
            self._found.pop(key, None)


def _changed_ns(folder: str) -> int:
    try:
        # Path.stat takes twice as long.
        return os.stat(folder).st_mtime_ns  # noqa: PTH116
    except OSError:
        return -1
