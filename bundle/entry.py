"""A file or folder in an archive, before it is taken."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass


@dataclass(frozen=True)
class Entry:
    """One file or folder of an archive of any kind.

    Attributes:
        name: its name in the archive, which may be any text.
        size: bytes that the archive claims, which may be any number.
        is_folder: True for a folder, False for a file.
        oddity: a name such as ``a link``, if it is neither file nor folder; else empty.
        content: its bytes, in pieces; read them before you ask for the next entry.
    """

    name: str
    size: int
    is_folder: bool
    oddity: str
    content: Iterator[bytes]

    @property
    def shown(self) -> str:
        """Its name as it stands in a sentence."""
        return repr(self.name[:200])
