"""Readiness: the reasons why the service should get no requests."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Iterator
from pathlib import Path

from bundle.errors import StoreError
from bundle.store import ModelStore
from runtime.models.preload import Preloader
from runtime.process.drain import DRAINING


class Readiness:
    """Tells whether the service should get requests.

    It should get none while the store cannot be read or has gone, while models are not
    warm, and while the service is ending.

    Args:
        store: the store, whose folder need not be there yet: the first upload makes it.
            If the store had models, and now its folder is missing, or another empty
            folder is in its place, then its mount was lost.
        preloader: the preloader, which names the models that are not warm yet.
        max_age_seconds: the service is not ready while its object store was not read
            for so long; 0 is never.
    """

    def __init__(
        self, store: ModelStore, preloader: Preloader, max_age_seconds: float = 0
    ) -> None:
        self._store = store
        self._max_age_seconds = max_age_seconds
        self._preloader = preloader
        self._seen: tuple[int, int] | None = None  # the mark of the folder with models
        with contextlib.suppress(StoreError):
            self._is_gone()

    def reasons(self) -> list[str]:
        """Tell why the service is not ready, one sentence each; empty if it is."""
        reasons = []
        try:
            if self._is_gone():
                reasons.append("the store has gone: it had models, and is not there")
        except StoreError as ex:
            reasons.append(str(ex))
        reasons += self._of_age()
        reasons += self._preloader.missing()
        if DRAINING.is_set():
            reasons.append("the service is ending")
        return reasons

    def age(self) -> float | None:
        """Return how many seconds ago an object store was read; None for a folder."""
        return self._store.age()

    def _of_age(self) -> Iterator[str]:
        age = self._store.age()
        if age is None:
            return
        if age == math.inf:
            yield "the object store was not read yet"
        elif self._max_age_seconds and age > self._max_age_seconds:
            yield f"the object store was read {age:.0f} s ago for the last time"

    def _is_gone(self) -> bool:
        folder = _identity(self._store.root)
        if self._store.names():
            self._seen = folder
        return self._seen is not None and self._seen != folder


def _identity(folder: Path) -> tuple[int, int] | None:
    """Return a mark of a folder; another folder of this name has another mark.

    It is None if there is no folder.
    """
    try:
        found = folder.stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino
