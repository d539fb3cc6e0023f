"""The upload: a tar, gzipped or not, that holds one bundle's folder.

Read member by member in one pass, under limits, straight into the staging folder.
``TarFile.extractall`` is not used: its filters have been got round (CVE-2024-12718,
CVE-2025-4138, -4330, -4517), and Python 3.11 before .13 is not mended.
"""

from __future__ import annotations

import io
import re
import tarfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Protocol

from bundle.errors import ArchiveError

# One path component. A leading dot is refused with all that hides behind one; macOS's
# own companions (._name, .DS_Store) are passed over before this is asked.
_COMPONENT = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.+=@,~ -]{0,199}")
_CHUNK = 1 << 18
_GZIP = b"\x1f\x8b"


class Readable(Protocol):
    """Where an archive's bytes come from."""

    def read(self, size: int = ..., /) -> bytes:
        """At most ``size`` bytes; none at the end."""


@dataclass(frozen=True)
class Limits:
    """What an archive may hold.

    Attributes:
        total_bytes: of all the tar, unpacked.
        members: files and folders.
        depth: folders in folders, the top one included.
    """

    # A gigabyte: above any Keras application's SavedModel (VGG16 has 0.55 GB).
    total_bytes: int = 1 << 30
    members: int = 1000
    depth: int = 8


DEFAULT_LIMITS = Limits()


def unpack(
    stream: Readable,
    folder: Path,
    *,
    gzipped: bool = False,
    limits: Limits = DEFAULT_LIMITS,
) -> None:
    """Unpack one bundle's archive; the files of its one top folder go to ``folder``.

    Args:
        stream: a tar; that it is gzipped is told from its bytes.
        folder: an empty folder.
        gzipped: the sender said so, and it is an error if it is not.
        limits: what it may hold.

    Raises:
        ArchiveError: no tar, cut short, beyond the limits, or it holds links, devices,
            absolute names, ``..``, or anything but one top folder.
    """
    source = _Source(stream, gzipped, limits)
    try:
        _unpack_members(source, folder, limits)
    except tarfile.HeaderError as ex:
        raise ArchiveError("the upload is not a tar archive, or is damaged") from ex
    except (tarfile.TarError, EOFError) as ex:
        raise ArchiveError(
            "the upload is not a whole tar archive: it is cut short or damaged;"
            " make it with: tar cfz NAME.tar.gz NAME"
        ) from ex


def _unpack_members(source: _Source, folder: Path, limits: Limits) -> None:
    top: str | None = None
    seen: set[str] = set()
    with tarfile.open(fileobj=source, mode="r|", tarinfo=_Member) as tar:
        for member in tar:
            name = PurePosixPath(member.name)
            if name.name.startswith("._") or name.name == ".DS_Store":
                continue
            parts = _checked_parts(member, limits)
            if not parts:
                continue
            if top not in (None, parts[0]):
                raise ArchiveError(
                    f"the archive holds several top folders, {top!r} and"
                    f" {parts[0]!r}; send one bundle an archive"
                )
            top = parts[0]
            if len(parts) == 1:
                if not member.isdir():
                    raise ArchiveError(
                        f"the archive holds {top!r} outside any folder; pack the"
                        " bundle's folder itself: tar cfz NAME.tar.gz NAME"
                    )
                continue
            # Case-folded: the archive must mean the same on every file system.
            key = "/".join(parts[1:]).casefold()
            if member.isfile():
                if key in seen:
                    raise ArchiveError(f"the archive holds {_shown(member)} twice")
                seen.add(key)
                if len(seen) > limits.members:
                    raise ArchiveError(
                        f"the archive holds more than {limits.members} files"
                    )
            _write(tar, member, folder.joinpath(*parts[1:]))
    source.drain()
    if top is None:
        raise ArchiveError("the archive is empty; it must hold one bundle's folder")


def _checked_parts(member: tarfile.TarInfo, limits: Limits) -> list[str]:
    if not (member.isfile() or member.isdir()) or member.issparse():
        kind = "a link" if member.issym() or member.islnk() else "a special file"
        raise ArchiveError(
            f"the archive holds {kind}, {_shown(member)}; only files and folders"
            " are taken"
        )
    if member.name.startswith("/"):
        raise ArchiveError(f"the archive holds an absolute name, {_shown(member)}")
    parts = [part for part in member.name.split("/") if part not in ("", ".")]
    if len(parts) > limits.depth:
        raise ArchiveError(f"{_shown(member)} lies more than {limits.depth} deep")
    for part in parts:
        if not _COMPONENT.fullmatch(part):
            raise ArchiveError(
                f"the archive holds a name that is not taken, {_shown(member)};"
                " use letters, digits and '_', '-', '.'"
            )
    return parts


def _write(tar: tarfile.TarFile, member: tarfile.TarInfo, path: Path) -> None:
    try:
        if member.isdir():
            path.mkdir(parents=True, exist_ok=True)
            return
        path.parent.mkdir(parents=True, exist_ok=True)
        content = tar.extractfile(member)
        if content is None:
            raise tarfile.ReadError("a file without content")
        with content, path.open("xb") as target:
            left = member.size
            while chunk := content.read(_CHUNK):
                target.write(chunk)
                left -= len(chunk)
            if left:
                raise EOFError
    except (FileExistsError, NotADirectoryError) as ex:
        raise ArchiveError(
            f"{_shown(member)} is a file and a folder in the same archive"
        ) from ex


def _shown(member: tarfile.TarInfo) -> str:
    return repr(member.name[:200])


class _Member(tarfile.TarInfo):
    """A member whose own headers are bounded: tarfile holds each in memory whole."""

    def _proc_member(self, archive: tarfile.TarFile) -> tarfile.TarInfo:
        # The hook that CPython's tarfile.py offers to subclasses.
        headers = (tarfile.XHDTYPE, tarfile.XGLTYPE, tarfile.SOLARIS_XHDTYPE)
        names = (tarfile.GNUTYPE_LONGNAME, tarfile.GNUTYPE_LONGLINK)
        if self.type in headers + names and self.size > 1 << 16:
            raise ArchiveError("the archive holds a header of more than 64 KiB")
        member: tarfile.TarInfo = super()._proc_member(archive)  # type: ignore[misc]
        return member


class _Source(io.RawIOBase):
    """The tar's bytes: one layer of gzip taken off, and no more than the limit."""

    def __init__(self, stream: Readable, gzipped: bool, limits: Limits) -> None:
        self._chunks = _inflate(stream, gzipped)
        self._ready = b""
        self._left = limits.total_bytes
        self._limit = limits.total_bytes

    def read(self, size: int = -1) -> bytes:
        parts: list[bytes] = []
        while size > 0:
            if not self._ready:
                self._ready = next(self._chunks, b"")
                if not self._ready:
                    break
                self._left -= len(self._ready)
                if self._left < 0:
                    raise ArchiveError(
                        f"the archive unpacks to more than {self._limit} bytes"
                    )
            part, self._ready = self._ready[:size], self._ready[size:]
            parts.append(part)
            size -= len(part)
        return b"".join(parts)

    def drain(self) -> None:
        """Read to the end: only there does gzip's checksum prove the rest."""
        while self.read(_CHUNK):
            pass


def _inflate(stream: Readable, gzipped: bool) -> Iterator[bytes]:
    chunk = _read_some(stream)
    if not chunk:
        raise ArchiveError("the upload is empty; send a tar of the bundle's folder")
    if not chunk.startswith(_GZIP):
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
        raise ArchiveError(f"the upload is not whole gzip data: {ex}") from ex
    if not inflater.eof:
        raise ArchiveError("the upload is cut short: its gzip data does not end")
    if inflater.unused_data or _read_some(stream):
        raise ArchiveError("the upload goes on after its gzip data ends")


def _pieces(inflater: zlib._Decompress, chunk: bytes) -> Iterator[bytes]:
    # max_length: a few bytes can inflate to a gigabyte, and are never held at once.
    while piece := inflater.decompress(chunk, _CHUNK):
        yield piece
        chunk = inflater.unconsumed_tail


def _read_some(stream: Readable) -> bytes:
    return stream.read(_CHUNK)
