"""The names of the files in an archive of a bundle."""

from __future__ import annotations

import re

from bundle.entry import Entry
from bundle.errors import ArchiveError

# One part of a path. It may not begin with a dot: see ``bundle.leftovers``.
COMPONENT = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.+=@,~ -]{0,199}")


class MemberNames:
    """The names so far; it refuses a file that comes twice, or in two spellings.

    Names are compared without regard to case, because the archive must mean the same
    on every file system.
    """

    def __init__(self) -> None:
        self._spellings: dict[str, str] = {}
        self._files: set[str] = set()

    def add(self, entry: Entry, parts: list[str]) -> None:
        """Note a name.

        Args:
            entry: the file or folder.
            parts: the parts of its name; see ``parts_of``.

        Raises:
            ArchiveError: the archive has the name already, or spells it otherwise.
        """
        for end in range(1, len(parts) + 1):
            spelling = "/".join(parts[:end])
            known = self._spellings.setdefault(spelling.casefold(), spelling)
            if known != spelling:
                raise ArchiveError(
                    f"the archive holds {known!r} and {spelling!r}, which are one name"
                    " on some file systems"
                )
        if not entry.is_folder:
            if spelling in self._files:
                raise ArchiveError(f"the archive holds {entry.shown} twice")
            self._files.add(spelling)


def parts_of(entry: Entry, depth: int) -> list[str]:
    """Return the folders of a name and its last part; empty for the top itself.

    Args:
        entry: a file or folder of the archive.
        depth: the most parts.

    Raises:
        ArchiveError: it is a link or a device, or its name is absolute, too deep, or
            has a part that is not taken.
    """
    if entry.oddity:
        raise ArchiveError(
            f"the archive holds {entry.oddity}, {entry.shown}; only files and folders"
            " are taken"
        )
    if entry.name.startswith("/"):
        raise ArchiveError(f"the archive holds an absolute name, {entry.shown}")
    parts = [part for part in entry.name.split("/") if part not in ("", ".")]
    if len(parts) > depth:
        raise ArchiveError(f"{entry.shown} lies more than {depth} deep")
    for part in parts:
        if not COMPONENT.fullmatch(part):
            raise ArchiveError(
                f"the archive holds a name that is not taken, {entry.shown};"
                " use letters, digits and '_', '-', '.'"
            )
    return parts
