"""Answers for paths, which a few clients ask again and again."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import TypeVar

_T = TypeVar("_T")

# So many paths are remembered; a service answers a few models through a few routes.
_MOST = 256
# A path that is longer is not kept in memory.
_LONGEST = 128


def remembered(find: Callable[[str], _T]) -> Callable[[str], _T]:
    """Return a function that finds the same for a path, and remembers what it found.

    Args:
        find: the function; what it finds must depend on the path alone, and nobody may
            change it.
    """
    again = functools.lru_cache(_MOST)(find)

    def find_or_remember(path: str) -> _T:
        return again(path) if len(path) <= _LONGEST else find(path)

    return find_or_remember
