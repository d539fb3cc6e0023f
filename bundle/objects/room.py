"""The room of this machine's copy: versions unused longest leave it for others."""

from __future__ import annotations

import contextlib
import logging

from bundle.errors import ModelNotFound, StoreError
from bundle.objects.index import Index
from bundle.objects.local_copy import LocalCopy

logger = logging.getLogger(__name__)

ENDLESS = 1 << 62


class Room:
    """The room of one copy.

    Args:
        copy: the copy.
        index: the index, which has the models' locks.
        max_bytes: the most bytes of the versions here; those unused longest go first,
            and those in memory stay in any case.
    """

    def __init__(self, copy: LocalCopy, index: Index, max_bytes: int = ENDLESS) -> None:
        self._copy = copy
        self._index = index
        self.max_bytes = max_bytes

    def make(self, asked: str = "") -> None:
        """Remove the versions that were unused longest, until the rest has room.

        Args:
            asked: a model that somebody asks for at this moment, and that stays.
        """
        if self.max_bytes == ENDLESS:
            return
        sizes: dict[tuple[str, int], int] = {}
        for name in self._copy.store.names():
            for number in filter(None, self._copy.store.versions(name)):
                record = self._copy.record(name, number)
                sizes[name, number] = record.size if record else 0
        too_many = sum(sizes.values()) - self.max_bytes
        for name, number in sorted(sizes, key=lambda key: self._copy.uses.last(*key)):
            if too_many <= 0:
                return
            if name == asked and number in self._needed(name):
                continue
            with contextlib.suppress(ModelNotFound, TimeoutError, StoreError):
                if self._evict(name, number):
                    too_many -= sizes[name, number]
        if too_many > 0:
            logger.info("the models in memory take more than 'objectCacheBytes'")

    def _needed(self, name: str) -> set[int]:
        """Return the version that serves, and the one that was asked for last."""
        here = self._copy.store.versions(name)
        last = max(here, key=lambda number: self._copy.uses.last(name, number))
        return {self._copy.store.serving(name), last}

    def _evict(self, name: str, number: int) -> bool:
        """Remove a version from this machine, unless it is in use or needed."""
        with (
            self._index.alone(name, 0.0),
            self._copy.uses.unused(name, number) as is_unused,
        ):
            others = [n for n in self._copy.store.versions(name) if n != number]
            # The version that serves goes last: without it, another one would serve.
            is_serving = self._copy.store.serving(name) == number
            if not is_unused or (is_serving and others):
                return False
            self._copy.remove(name, number)
            logger.info("%s version %d makes room on this machine", name, number)
            return True
