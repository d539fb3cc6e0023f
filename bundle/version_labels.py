"""The labels of a model's versions: each is a file that holds a version's number."""

from __future__ import annotations

import contextlib
import re
import shutil
from pathlib import Path

from bundle.errors import ConflictError
from bundle.staging import replace_file, sync
from bundle.version import touch

# A label begins with a letter, because a URL may have a number in the same place.
LABEL_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_.-]{0,62}")
LABEL_RULE = "a letter, then up to 62 letters, digits, '_', '-' or '.'"
# The version with this label serves requests that name no version.
STABLE = "stable"


def check_label(label: str) -> None:
    """Check that a text may be a label.

    Raises:
        ConflictError: it may not.
    """
    if not LABEL_NAME.fullmatch(label):
        raise ConflictError(f"{label[:64]!r} is no name for a label: {LABEL_RULE}")


class VersionLabels:
    """The labels of one model: ``.labels/<label>`` in its folder.

    Each file is replaced by one rename, so that a reader needs no lock. A process that
    changes labels locks the model's folder; see ``ModelStore``.

    Args:
        model: the model's folder.
    """

    def __init__(self, model: Path) -> None:
        self._folder = model / ".labels"

    def read(self, label: str) -> int | None:
        """Read the number that a label points to; None if there is no such label.

        Raises:
            OSError: the file cannot be read.
        """
        if not LABEL_NAME.fullmatch(label):
            return None
        try:
            # This runs on every request; without a buffer it takes four system calls.
            with (self._folder / label).open("rb", buffering=0) as stream:
                text = stream.read(20)
        except (FileNotFoundError, NotADirectoryError, IsADirectoryError):
            return None
        # A file that was put there by hand, and holds no number, is no label.
        return int(text) if text.strip().isdigit() and len(text) < 20 else None

    def read_all(self) -> dict[str, int]:
        """Read each label's number, by label, sorted; empty if there are no labels.

        Raises:
            OSError: a file cannot be read.
        """
        try:
            found = sorted(path.name for path in self._folder.iterdir())
        except (FileNotFoundError, NotADirectoryError):
            return {}
        numbers = {label: self.read(label) for label in found}
        return {label: n for label, n in numbers.items() if n is not None}

    def write(self, label: str, number: int) -> None:
        """Point a label to a number, or move it there."""
        with contextlib.suppress(FileExistsError):
            self._folder.mkdir()
        for left in self._folder.glob(".*"):  # a process that was killed left it
            left.unlink()
        replace_file(self._folder / label, b"%d\n" % number)
        touch(self._folder.parent)

    def delete(self, label: str) -> None:
        """Delete a label."""
        (self._folder / label).unlink()
        sync(self._folder)
        touch(self._folder.parent)

    def delete_all(self) -> None:
        """Delete all labels of a model that has no versions any more."""
        shutil.rmtree(self._folder, ignore_errors=True)
