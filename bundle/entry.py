"""A file or folder in an archive, before it is taken."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass


@dataclass(frozen=True)
class Entry:
    """One of an archive, whatever kind of archive that is.

    Attributes:
        name: as the archive has it; it may be anything.
        size: bytes, as the archive says; it may be anything.
        is_folder: or else a file.
        oddity: what it is in place of either, ``a link``; else empty.
        content: its bytes, in pieces, to be read before the next entry is asked for.
    """

    name: str
    size: int
    is_folder: bool
    oddity: str
    content: Iterator[bytes]

    @property
    def shown(self) -> str:
        """Its name in a sentence."""
        return repr(self.name[:200])
