"""Files that programs leave beside a bundle's own, and that are no part of it.

They begin with a dot (``.DS_Store``, ``._x``, ``.git``, ``.ipynb_checkpoints``, what a
killed exporter left), or have one of a few names.
"""

from __future__ import annotations

from collections.abc import Iterable

# macOS's in a zip; Windows Explorer's; Python's. Compared in small letters.
_NAMES = frozenset(
    (
        "__macosx",
        "__pycache__",
        "$recycle.bin",
        "desktop.ini",
        "ehthumbs.db",
        "icon\r",
        "thumbs.db",
    )
)


def is_leftover(name: str) -> bool:
    """Whether a file or folder of this name is no part of a bundle."""
    if name in (".", ".."):
        return False
    return name.startswith(".") or name.lower() in _NAMES


def lies_in_leftover(parts: Iterable[str]) -> bool:
    """Whether a path, given by its parts, is a leftover or leads through one."""
    return any(map(is_leftover, parts))
