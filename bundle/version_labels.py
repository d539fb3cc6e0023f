"""The labels of a model's versions: files that hold a number, each under its name."""

from __future__ import annotations

import contextlib
import re
import shutil
from pathlib import Path

from bundle.staging import replace_file, sync
from bundle.version import touch

# A label stands in URLs where a number may, too: so it begins with a letter.
LABEL_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_.-]{0,62}")
LABEL_RULE = "a letter, then up to 62 letters, digits, '_', '-' or '.'"
# The label whose version serves who asks for none.
STABLE = "stable"


class VersionLabels:
    """The labels of one model: ``.labels/<label>`` in its folder.

    Each is replaced by one rename, so that a reader needs no lock. Who changes them
    holds the model's folder; see ``ModelStore``.

    Args:
        model: the model's folder.
    """

    def __init__(self, model: Path) -> None:
        self._folder = model / ".labels"

    def read(self, label: str) -> int | None:
        """The number that a label points to; None if there is no such label.

        Raises:
            OSError: it cannot be read.
        """
        if not LABEL_NAME.fullmatch(label):
            return None
        try:
            # Read on every request: without a buffer, that is four system calls.
            with (self._folder / label).open("rb", buffering=0) as stream:
                text = stream.read(20)
        except (FileNotFoundError, NotADirectoryError, IsADirectoryError):
            return None
        # Put by hand and wrong, it is no label.
        return int(text) if text.strip().isdigit() and len(text) < 20 else None

    def read_all(self) -> dict[str, int]:
        """Each label's number, by label, sorted; empty if there are none.

        Raises:
            OSError: they cannot be read.
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
        for left in self._folder.glob(".*"):  # by one that was killed here
            left.unlink()
        replace_file(self._folder / label, b"%d\n" % number)
        touch(self._folder.parent)

    def delete(self, label: str) -> None:
        """Take a label away."""
        (self._folder / label).unlink()
        sync(self._folder)
        touch(self._folder.parent)

    def delete_all(self) -> None:
        """Take away what is left of a model without versions: it points to nothing."""
        shutil.rmtree(self._folder, ignore_errors=True)
