"""The versions in memory: at most so many, and so many bytes."""

from __future__ import annotations

import logging
import math
from collections import OrderedDict
from collections.abc import Container
from dataclasses import dataclass
from typing import TypeAlias

from bundle.errors import ModelNotFound
from bundle.store import ModelStore
from bundle.version import Version, origin_of
from runtime.models.model import Model
from runtime.telemetry import metrics

logger = logging.getLogger(__name__)

# A name and a version's number.
Key: TypeAlias = tuple[str, int]


def is_there(store: ModelStore, version: Version) -> bool:
    """Tell whether a store has this very version.

    It may have been deleted, have gained or lost ONNX, or its number is used again.
    """
    try:
        return store.version(version.name, version.number) == version
    except ModelNotFound:
        return False


@dataclass
class Held:
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
        self.key: Key = (self.version.name, self.version.number)

    def is_still(self) -> bool:
        """Tell whether its bundle is still there; ONNX may have come or gone."""
        try:
            return origin_of(self.version.path) == self.origin
        except OSError:
            return False


class HeldVersions(OrderedDict[Key, Held]):
    """The versions in memory by their keys; the one unused longest is the first.

    The caller holds a lock. Only ``move_to_end`` may be called without it, so a key may
    move at any time, and loops go over a copy.

    Args:
        limit: the most versions; the one unused longest is dropped first.
        max_bytes: the most bytes of their files together; one larger model is kept
            alone.
    """

    def __init__(self, limit: int, max_bytes: int) -> None:
        super().__init__()
        self.limit = limit
        self.max_bytes = max_bytes

    def find(self, version: Version) -> Held | None:
        """Return this very version and note that it is used; None if it is not here."""
        key = (version.name, version.number)
        held = self.get(key)
        if held is None or (held.version is not version and held.version != version):
            return None
        self.move_to_end(key)
        return held

    def named(self, name: str) -> list[Held]:
        """List the versions of a model."""
        return [held for key, held in list(self.items()) if key[0] == name]

    def make_room(self, key: Key | None, spare: Container[Key]) -> None:
        """Drop versions that are too many.

        Args:
            key: the version that stays in any case; None if there is none at all.
            spare: the versions that are kept for a rollback alone. These go first,
                unless somebody asked for their numbers.
        """
        while (
            key is not None
            and len(self) > 1
            and (len(self) > self.limit or self._bytes() > self.max_bytes)
        ):
            oldest = self._first_to_go(key, spare)
            del self[oldest]
            logger.info("%s version %d is dropped for others", *oldest)

    def _first_to_go(self, key: Key, spare: Container[Key]) -> Key:
        # A request may move a key meanwhile, so the first need not be the oldest.
        others = {one: held for one, held in list(self.items()) if one != key}
        first = (o for o, held in others.items() if o in spare and held.pinned is None)
        return next(first, next(iter(others)))

    def count(self) -> None:
        """Tell the metrics how many versions and bytes there are."""
        metrics.LOADED.set(len(self))
        metrics.LOADED_BYTES.set(self._bytes())

    def _bytes(self) -> int:
        return sum(held.model.size_bytes for held in list(self.values()))
