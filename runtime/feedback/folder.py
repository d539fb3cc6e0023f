"""The folder of the feedback, which all processes of the service share.

``FOLDER/<model>/images/<label>/<sha256>.<format>`` are the pictures as they came, and
``FOLDER/<model>/rows.csv`` has the rows: a header of the features and ``label``, and
one row a line. ``trainer run --also FOLDER/<model>`` reads both.

A process that writes holds a lock on the folder. A picture gets its place by one
rename. A row is one write at the end of its file. A line that a kill cut short has no
newline, and the next process that writes or starts takes it away.
"""

from __future__ import annotations

import contextlib
import csv
import errno
import hashlib
import io
import logging
import mmap
import os
from collections.abc import Iterator, Sequence
from pathlib import Path

from bundle.disk import refusal
from bundle.errors import ConflictError, StoreError
from bundle.staging import LOCK_SECONDS, locked, sync
from runtime.feedback.counts import IMAGES, ROWS, Count, Counts

logger = logging.getLogger(__name__)

# A picture is written here first. Only one process writes at a time.
_NEW = ".new"


class FeedbackFolder:
    """The folder, and the bounds of what it may hold.

    Args:
        root: the folder; the first picture or row makes it.
        max_bytes: the most bytes of all pictures and rows.
        max_items: the most pictures and rows.
        lock_seconds: the longest wait for another process.
    """

    def __init__(
        self,
        root: Path,
        max_bytes: int,
        max_items: int,
        lock_seconds: float = LOCK_SECONDS,
    ) -> None:
        self._root = root
        self._max_bytes = max_bytes
        self._max_items = max_items
        self._lock_seconds = lock_seconds
        self._counts = Counts(root)

    def keep_picture(self, model: str, label: str, data: bytes, ending: str) -> int:
        """Keep a picture; one that is there under another label moves to this one.

        Args:
            model: the model's name.
            label: the label, which can be a folder's name.
            data: the picture's file.
            ending: the ending of its name, without a dot.

        Returns:
            The number of the model's pictures and rows in the folder.

        Raises:
            ConflictError: the folder is full.
            StoreError: the disk refused it, and nothing was kept.
        """
        images = self._root / model / IMAGES
        name = f"{hashlib.sha256(data).hexdigest()}.{ending}"
        place = images / label / name
        with self._alone():
            if place.exists():
                return self._counts.read().get(model, Count()).items
            former = next(images.glob(f"*/{name}"), None)
            if former is not None:
                # One rename, so that the picture never has two labels, or none.
                with _made(place.parent):
                    former.replace(place)
                with contextlib.suppress(OSError):  # others have this label
                    former.parent.rmdir()
                self._sync(place.parent)
                return self._counts.read().get(model, Count()).items
            with self._counted(model, len(data)) as items:
                self._write(place, data)
            return items

    def keep_row(self, model: str, columns: Sequence[str], cells: Sequence[str]) -> int:
        """Keep a row.

        Args:
            model: the model's name.
            columns: the names of the columns; ``label`` is the last.
            cells: the row's texts, without line breaks.

        Returns:
            The number of the model's pictures and rows in the folder.

        Raises:
            ConflictError: the folder is full, or has rows of other columns.
            StoreError: the disk refused it, and nothing was kept.
        """
        path = self._root / model / ROWS
        header, line = _line(columns), _line(cells)
        with self._alone():
            _mend(path)
            held = _header_of(path)
            if held not in (b"", header):
                raise ConflictError(
                    f"the rows that are kept for model {model!r} have other columns"
                    f" than {', '.join(columns)}: the owner of the folder must take"
                    f" {ROWS} away first"
                )
            data = line if held else header + line
            with self._counted(model, len(data)) as items:
                self._append(path, data)
            return items

    def sweep(self) -> None:
        """Take away what a kill or the owner left half, and count anew.

        A folder that cannot be written is told in the log; each request will get the
        error.
        """
        if not self._root.is_dir():
            return
        try:
            with self._alone():
                (self._root / _NEW).unlink(missing_ok=True)
                for folder in self._root.glob(f"*/{IMAGES}/*"):
                    # No trainer takes a class without pictures.
                    with contextlib.suppress(OSError):
                        folder.rmdir()
                for path in self._root.glob(f"*/{ROWS}"):
                    _mend(path)
                self._counts.write(self._counts.of_folder())
        except StoreError as ex:
            logger.warning("%s", ex)

    @contextlib.contextmanager
    def _alone(self) -> Iterator[None]:
        """Hold the folder's lock, and translate what the disk says."""
        try:
            self._root.mkdir(parents=True, exist_ok=True)
            with locked(self._root, seconds=self._lock_seconds):
                yield
        except OSError as ex:
            advice = refusal(ex, "look at the folder that 'feedbackDir' names")
            raise StoreError(f"the feedback cannot be kept: {advice}") from ex

    @contextlib.contextmanager
    def _counted(self, model: str, size: int) -> Iterator[int]:
        """Count one item more of so many bytes, if there is room and it is written.

        Gives the model's items with it. A kill inside the block leaves no counts, and
        the next process counts anew.
        """
        counts = self._counts.read()
        if self._is_full(counts, size):
            # The owner may have taken some away.
            counts = self._counts.of_folder()
            self._counts.write(counts)
        if problem := self._is_full(counts, size):
            raise ConflictError(
                f"the folder of the feedback is full: {problem}; its owner must take"
                " some away, or raise the setting"
            )
        before = counts.get(model, Count())
        counts[model] = Count(before.items + 1, before.bytes + size)
        self._counts.forget()
        yield counts[model].items
        self._counts.write(counts)

    def _is_full(self, counts: dict[str, Count], size: int) -> str:
        """Tell which bound leaves no room for one item more; empty if none does."""
        items = sum(count.items for count in counts.values())
        if items >= self._max_items:
            return f"it holds {items} items, and 'feedbackItems' is {self._max_items}"
        held = sum(count.bytes for count in counts.values())
        if held + size > self._max_bytes:
            return (
                f"it holds {held} bytes, these are {size}, and 'feedbackBytes' is"
                f" {self._max_bytes}"
            )
        return ""

    def _write(self, place: Path, data: bytes) -> None:
        new = self._root / _NEW
        try:
            with new.open("wb") as stream:
                stream.write(data)
                stream.flush()
                os.fsync(stream.fileno())
            with _made(place.parent):
                new.replace(place)
        finally:
            new.unlink(missing_ok=True)
        self._sync(place.parent)

    def _append(self, path: Path, data: bytes) -> None:
        path.parent.mkdir(exist_ok=True)
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o666)
        try:
            size = os.fstat(descriptor).st_size
            try:
                if os.write(descriptor, data) < len(data):
                    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
                os.fsync(descriptor)
            except OSError:
                os.ftruncate(descriptor, size)
                if not size:
                    path.unlink()
                raise
        finally:
            os.close(descriptor)
        self._sync(path.parent)

    def _sync(self, folder: Path) -> None:
        """Write the names in a folder, and in those above it, through to the disk."""
        while folder != self._root:
            sync(folder)
            folder = folder.parent
        sync(folder)


@contextlib.contextmanager
def _made(folder: Path) -> Iterator[None]:
    """Make the folder of a label; without a picture, take it away again."""
    folder.mkdir(parents=True, exist_ok=True)
    try:
        yield
    except OSError:
        with contextlib.suppress(OSError):  # it has other pictures
            folder.rmdir()
        raise


def _line(cells: Sequence[str]) -> bytes:
    target = io.StringIO()
    csv.writer(target, lineterminator="\n").writerow(cells)
    return target.getvalue().encode()


def _mend(path: Path) -> None:
    """Take a last line without a newline away; no line has a newline inside."""
    with contextlib.suppress(FileNotFoundError), path.open("r+b") as stream:
        if not (size := os.fstat(stream.fileno()).st_size):
            return
        with mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ) as content:
            end = content.rfind(b"\n") + 1
        if end < size:
            stream.truncate(end)


def _header_of(path: Path) -> bytes:
    """Return the first line of a file; empty without one."""
    try:
        with path.open("rb") as stream:
            return stream.readline()
    except FileNotFoundError:
        return b""
