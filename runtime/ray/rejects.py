"""The file of the items that a scoring on a cluster rejected."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from bundle.errors import StoreError
from bundle.objects.address import Place
from runtime.admin.errors import AdminError, WorkFailed
from runtime.ray.output import located
from runtime.scoring.files import text_of
from runtime.scoring.forms import csv_line


class RejectsFile:
    """A CSV file of items and reasons, here or in an object store.

    Args:
        place: the file, or its URL.

    Raises:
        AdminError: it cannot be written, whatever happens.
        StoreError: its URL cannot be opened.
    """

    def __init__(self, place: Place) -> None:
        self._text = text_of(place)
        self._bucket, self._name = located("--rejects", place)
        if isinstance(place, Path) and place.exists() and not place.is_file():
            raise AdminError(
                f"{self._text} is a folder, a device or a pipe; name a file"
            )

    def check_free(self) -> None:
        """Check that the file is not there.

        Raises:
            AdminError: it is.
            StoreError: the object store does not answer.
        """
        if self._bucket.look(self._name) is not None:
            raise AdminError(
                f"{self._text} is there already: give another name, or replace it with"
                " --force"
            )

    def write(self, rejected: Iterable[tuple[str, str]]) -> None:
        """Write the name of each item and the reason; no file if there is no item.

        Raises:
            WorkFailed: the disk or the object store refuses it.
        """
        lines = b"".join(map(csv_line, rejected))
        try:
            if lines:
                self._bucket.put(self._name, csv_line(("item", "reason")) + lines)
            else:
                self._bucket.delete(self._name)
        except StoreError as ex:
            raise WorkFailed(f"{self._text} cannot be written") from ex
