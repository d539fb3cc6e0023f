"""Files that systems and tools leave in every folder, and that are nobody's data."""

from __future__ import annotations

# In lower case; the systems themselves spell them in several ways.
_NAMES = frozenset(
    (
        "__macosx",  # what macOS puts into a zip beside the files
        "thumbs.db",
        "ehthumbs.db",
        "ehthumbs_vista.db",
        "desktop.ini",
        "$recycle.bin",
        "system volume information",
        "icon\r",  # a folder's picture on macOS
        "@eadir",  # previews on a Synology disk station
    )
)


def is_litter(name: str) -> bool:
    """Whether a file or folder of this name is to be passed over.

    Hidden ones are too: ``.DS_Store``, ``._cat.png`` and ``.ipynb_checkpoints``.
    """
    return name.startswith(".") or name.lower() in _NAMES
