"""A bundle's folder as one file: a tar, gzipped or not, or a zip.

An uploaded tar is read member by member, under limits, straight into the staging
folder. An uploaded zip is first written there whole, because its directory stands at
its end. ``TarFile.extractall`` is not used: attackers have got round its filters
(CVE-2024-12718, CVE-2025-4138, -4330, -4517), and Python before 3.11.13 has no fix.
"""

from __future__ import annotations

import re
import tempfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from bundle.bare import CONFIG, SAVED_MODEL_FOLDER
from bundle.entry import Entry
from bundle.errors import ArchiveError, TooLarge
from bundle.foreign import GZIP, told_by
from bundle.leftovers import lies_in_leftover
from bundle.tarball import is_header, read_tar
from bundle.version import MARKS, model_folder
from bundle.versioned import lift, lift_newest
from bundle.zipball import MAGIC, read_zip

# One part of a path. It may not begin with a dot: see ``bundle.leftovers``.
COMPONENT = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.+=@,~ -]{0,199}")
_CHUNK = 1 << 18
# An archive without a top folder has one of these files at its top.
_TOP_FILES = (*MARKS, CONFIG)
# This many first bytes tell one kind of file from another.
HEAD = 512


class Readable(Protocol):
    """The source of an archive's bytes, such as a request's body."""

    def read(self, size: int = ..., /) -> bytes:
        """Return at most ``size`` bytes, and no bytes at the end."""


@dataclass(frozen=True)
class Limits:
    """The limits on an archive's content.

    Attributes:
        total_bytes: most bytes of the unpacked archive; a tar's headers count.
        members: most files and folders; those that are passed over count.
        depth: most folders inside one another; the top folder counts.
        ratio: most unpacked bytes for each received byte, beyond the first
            ``ratio_from`` bytes; the weights of a model hardly shrink.
        ratio_from: unpacked bytes from which ``ratio`` holds.
    """

    # A gigabyte is more than any Keras application's SavedModel (VGG16 has 0.55 GB).
    total_bytes: int = 1 << 30
    members: int = 1000
    depth: int = 8
    ratio: int = 200
    ratio_from: int = 1 << 24


DEFAULT_LIMITS = Limits()


def unpack(
    stream: Readable,
    folder: Path,
    *,
    gzipped: bool = False,
    limits: Limits = DEFAULT_LIMITS,
) -> str:
    """Unpack one bundle's archive; the files of its one top folder go to ``folder``.

    If the top folder holds versions (``NAME/1/…``, as TensorFlow Serving has them), the
    highest version is the bundle. An archive whose files lie in no folder, as ``tar -C
    NAME .`` makes it, is unpacked as it is. Files that programs leave in a folder
    (``bundle.leftovers``) are passed over.

    Args:
        stream: a tar, gzipped or not, or a zip; its bytes tell which of them.
        folder: an empty folder.
        gzipped: the sender said that it is gzipped; if it is not, that is an error.
        limits: the limits on the archive's content.

    Returns:
        The name of the top folder; empty if there is none, or if it is the number of a
        version or Triton's ``model.savedmodel``.

    Raises:
        ArchiveError: it is no archive that is taken, or is cut short, or has too many
            files, or holds links, devices, absolute names, ``..``, or several folders
            and no file beside them.
        TooLarge: it unpacks to more than the limit.
    """
    source = _Source(stream, gzipped, limits)
    head = source.peek(HEAD)
    if not head:
        raise ArchiveError("the upload is empty; send a tar of the bundle's folder")
    if head.startswith(MAGIC):
        top = _unpack_zip(source, folder, limits)
    elif not is_header(head) and (sentence := told_by(head)):
        raise ArchiveError(sentence)
    else:
        top = _take(_members(source), folder, limits)
    lift_newest(folder)
    inner = model_folder(folder)
    if inner != folder:
        lift(inner, folder)
    # These folders are parts of a model's, and have the same name in each model.
    return "" if top.isdecimal() or top == SAVED_MODEL_FOLDER else top


def is_archive(head: bytes) -> bool:
    """Tell whether a file with these first ``HEAD`` bytes is an archive of some kind.

    The file is one that ``unpack`` takes, or refuses with a sentence about its kind. A
    protobuf message is never mistaken for one: a tar's header has a checksum, and no
    message begins as the other kinds do.
    """
    is_known = head.startswith((GZIP, *MAGIC)) or is_header(head)
    return is_known or bool(told_by(head, only_archives=True))


def _members(source: _Source) -> Iterator[Entry]:
    yield from read_tar(source)
    # Gzip's checksum stands at the end of its data, and proves the rest.
    source.drain()


def _unpack_zip(source: _Source, folder: Path, limits: Limits) -> str:
    # The file has no name in the folder, and is gone when it is closed.
    with tempfile.TemporaryFile(dir=folder) as file:
        while chunk := source.read(_CHUNK):
            file.write(chunk)
        total = min(
            limits.total_bytes, limits.ratio_from + limits.ratio * source.came_bytes
        )
        entries = read_zip(file, members=limits.members, total_bytes=total)
        return _take(entries, folder, limits)


def _take(entries: Iterator[Entry], folder: Path, limits: Limits) -> str:
    tops: list[str] = []
    loose: list[str] = []
    count = 0
    names = _Names()
    for entry in entries:
        count += 1
        if count > limits.members:
            raise ArchiveError(
                f"the archive holds more than {limits.members} files and folders"
            )
        if entry.size < 0:
            raise ArchiveError(f"{entry.shown} has a negative size")
        if entry.size > limits.total_bytes:
            raise TooLarge(
                f"the archive unpacks to more than {limits.total_bytes} bytes"
            )
        if lies_in_leftover(entry.name.split("/")):
            continue
        parts = _checked_parts(entry, limits)
        if not parts:
            continue
        if parts[0] not in tops:
            tops.append(parts[0])
        if len(parts) == 1 and not entry.is_folder:
            loose.append(parts[0])
        names.add(entry, parts)
        _write(entry, folder.joinpath(*parts))
    if not tops:
        raise ArchiveError(
            "the archive is empty; it must hold one bundle's folder, and names that"
            " begin with a dot are passed over"
        )
    # A file at the top may come last, so only the whole archive tells what it is.
    if any(name in _TOP_FILES for name in loose):
        return ""
    if loose:
        raise ArchiveError(
            f"the archive holds {loose[0]!r} outside any folder; pack the bundle's"
            " folder itself: tar cfz NAME.tar.gz NAME"
        )
    if len(tops) > 1:
        raise ArchiveError(
            f"the archive holds several top folders, {tops[0]!r} and {tops[1]!r}; send"
            " one bundle an archive"
        )
    lift(folder / tops[0], folder)
    return tops[0]


class _Names:
    """The names so far; it refuses a file that comes twice, or in two spellings.

    Names are compared without regard to case, because the archive must mean the same
    on every file system.
    """

    def __init__(self) -> None:
        self._spellings: dict[str, str] = {}
        self._files: set[str] = set()

    def add(self, entry: Entry, parts: list[str]) -> None:
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


def _checked_parts(entry: Entry, limits: Limits) -> list[str]:
    if entry.oddity:
        raise ArchiveError(
            f"the archive holds {entry.oddity}, {entry.shown}; only files and folders"
            " are taken"
        )
    if entry.name.startswith("/"):
        raise ArchiveError(f"the archive holds an absolute name, {entry.shown}")
    parts = [part for part in entry.name.split("/") if part not in ("", ".")]
    if len(parts) > limits.depth:
        raise ArchiveError(f"{entry.shown} lies more than {limits.depth} deep")
    for part in parts:
        if not COMPONENT.fullmatch(part):
            raise ArchiveError(
                f"the archive holds a name that is not taken, {entry.shown};"
                " use letters, digits and '_', '-', '.'"
            )
    return parts


def _write(entry: Entry, path: Path) -> None:
    try:
        if entry.is_folder:
            path.mkdir(parents=True, exist_ok=True)
            return
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("xb") as target:
            for chunk in entry.content:
                target.write(chunk)
    except (FileExistsError, NotADirectoryError) as ex:
        raise ArchiveError(
            f"{entry.shown} is a file and a folder in the same archive"
        ) from ex


class _Source:
    """The archive's bytes, without one layer of gzip, and no more than the limit."""

    def __init__(self, stream: Readable, gzipped: bool, limits: Limits) -> None:
        self._packed = _Packed(stream, limits.total_bytes)
        self._chunks = _inflate(self._packed, gzipped)
        self._ready = b""
        self._left = limits.total_bytes
        self._limit = limits.total_bytes
        self._limits = limits

    @property
    def came_bytes(self) -> int:
        """The number of bytes received so far, still gzipped."""
        return self._packed.size

    def peek(self, size: int) -> bytes:
        """Return the next bytes, and let ``read`` return them again."""
        head = self.read(size)
        self._ready = head + self._ready
        return head

    def read(self, size: int, /) -> bytes:
        """Return ``size`` bytes; fewer only at the end."""
        parts: list[bytes] = []
        while size > 0:
            if not self._ready:
                self._ready = next(self._chunks, b"")
                if not self._ready:
                    break
                self._left -= len(self._ready)
                if self._left < 0:
                    raise TooLarge(
                        f"the archive unpacks to more than {self._limit} bytes"
                    )
                self._check_ratio()
            part, self._ready = self._ready[:size], self._ready[size:]
            parts.append(part)
            size -= len(part)
        return b"".join(parts)

    def _check_ratio(self) -> None:
        unpacked = self._limit - self._left
        limits = self._limits
        if unpacked > limits.ratio_from + limits.ratio * self._packed.size:
            raise TooLarge(
                f"the archive unpacks to more than {limits.ratio} times its size"
            )

    def drain(self) -> None:
        """Read and drop the rest."""
        while self.read(_CHUNK):
            pass


class _Packed:
    """An upload's bytes as they come, up to the limit for the unpacked archive.

    The limit is needed here too, because a gzip can go on for ever and hold nothing.

    Attributes:
        size: bytes read so far.
    """

    def __init__(self, stream: Readable, max_bytes: int) -> None:
        self._stream = stream
        self._max_bytes = max_bytes
        self.size = 0

    def read(self, size: int = -1) -> bytes:
        chunk = self._stream.read(size)
        self.size += len(chunk)
        if self.size > self._max_bytes:
            raise TooLarge(f"the upload is larger than {self._max_bytes} bytes")
        return chunk


def _inflate(stream: Readable, gzipped: bool) -> Iterator[bytes]:
    chunk = _read_some(stream)
    if len(chunk) == 1:  # a gzip is told by two bytes
        chunk += _read_some(stream)
    if not chunk:
        return
    if not chunk.startswith(GZIP):
        if gzipped:
            raise ArchiveError(
                "the upload is not gzipped, and its Content-Encoding says gzip"
            )
        while chunk:
            yield chunk
            chunk = _read_some(stream)
        return
    inflater = zlib.decompressobj(wbits=31)
    try:
        while chunk:
            yield from _pieces(inflater, chunk)
            if inflater.eof:
                break
            chunk = _read_some(stream)
    except zlib.error as ex:
        raise ArchiveError(
            "the upload is not whole gzip data: it is damaged, or was sent as text;"
            " send it with: curl --data-binary @NAME.tar.gz"
        ) from ex
    if not inflater.eof:
        raise ArchiveError("the upload is cut short: its gzip data does not end")
    if inflater.unused_data or _read_some(stream):
        raise ArchiveError("the upload goes on after its gzip data ends")


def _pieces(inflater: zlib._Decompress, chunk: bytes) -> Iterator[bytes]:
    # The second argument bounds a piece: a few bytes can inflate to a gigabyte, which
    # must never be in memory at once.
    while piece := inflater.decompress(chunk, _CHUNK):
        yield piece
        chunk = inflater.unconsumed_tail


def _read_some(stream: Readable) -> bytes:
    return stream.read(_CHUNK)
