"""Files that programs leave in the folder of a bundle or a data set.

Their names begin with a dot (``.DS_Store``, ``._x``, ``.git``,
``.ipynb_checkpoints``, the temporary files of a killed exporter), or are in a short
list.
"""

from __future__ import annotations

from collections.abc import Iterable

# The names are in lower case, because systems spell them in several ways.
_NAMES = frozenset(
    (
        "__macosx",  # a folder that macOS adds to a zip
        "icon\r",  # a folder's picture on macOS
        "$recycle.bin",
        "desktop.ini",
        "ehthumbs.db",
        "ehthumbs_vista.db",
        "system volume information",
        "thumbs.db",
        "@eadir",  # previews on a Synology disk station
        "__pycache__",
    )
)


def is_leftover(name: str) -> bool:
    """Tell whether a file or folder of this name is to be passed over."""
    if name in (".", ".."):
        return False
    return name.startswith(".") or name.lower() in _NAMES


def lies_in_leftover(parts: Iterable[str]) -> bool:
    """Tell whether a path, given by its parts, is a leftover or lies in one."""
    return any(map(is_leftover, parts))
