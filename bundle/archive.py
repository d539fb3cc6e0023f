"""A bundle as one file: a tar, gzipped or not, that holds its folder.

An upload's is read member by member in one pass, under limits, straight into the
staging folder.
``TarFile.extractall`` is not used: its filters have been got round (CVE-2024-12718,
CVE-2025-4138, -4330, -4517), and Python 3.11 before .13 is not mended.
"""

from __future__ import annotations

import io
import os
import re
import struct
import tarfile
import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import IO, Protocol

from bundle.errors import ArchiveError, TooLarge
from bundle.variants import EXPORTED

# macOS's own companions of files, and what a killed exporter left beside its own.
_PASSED_OVER = re.compile(
    rf"\._.*|\.DS_Store|\.({'|'.join(map(re.escape, EXPORTED))})\.[0-9a-f]{{32}}",
    re.DOTALL,
)
# One path component. A leading dot is refused, with all that hides behind one.
COMPONENT = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.+=@,~ -]{0,199}")
_CHUNK = 1 << 18
_GZIP = b"\x1f\x8b"
_END = bytes(2 * tarfile.BLOCKSIZE)

# Weights hardly shrink: by 7 % at level 1 and by 8 % at 9, at nearly the same speed;
# graphs and texts do, by more than half.
_LEVEL = 6
# What is packed today and tomorrow is the same file: 1980 is zip's first year, and tar
# finds 1970 implausible.
_TIME = 315532800

# Of a member's own headers: a long name, macOS's attributes. tarfile holds each in
# memory whole, keeps the global ones for all that follows, and searches them in
# quadratic time (CVE-2024-6232): 30 ms for 4 KiB, 8 s for 64.
_MAX_HEADER = 1 << 12
_MAX_ALL_HEADERS = 1 << 20


class Readable(Protocol):
    """Where an archive's bytes come from."""

    def read(self, size: int = ..., /) -> bytes:
        """At most ``size`` bytes; none at the end."""


@dataclass(frozen=True)
class Limits:
    """What an archive may hold.

    Attributes:
        total_bytes: of all the tar, unpacked.
        members: files and folders, macOS's companions included.
        depth: folders in folders, the top one included.
        ratio: of what is unpacked to what came, beyond the first ``ratio_from`` bytes;
            the weights of a model hardly shrink.
        ratio_from: see above.
    """

    # A gigabyte: above any Keras application's SavedModel (VGG16 has 0.55 GB).
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
) -> None:
    """Unpack one bundle's archive; the files of its one top folder go to ``folder``.

    Args:
        stream: a tar; that it is gzipped is told from its bytes.
        folder: an empty folder.
        gzipped: the sender said so, and it is an error if it is not.
        limits: what it may hold.

    Raises:
        ArchiveError: no tar, cut short, of too many files, or it holds links, devices,
            absolute names, ``..``, or anything but one top folder.
        TooLarge: it unpacks to more than the limit.
    """
    source = _Source(stream, gzipped, limits)
    try:
        _unpack_members(source, folder, limits)
    # tarfile.py lets damaged headers out as errors of int(), decode() and its own
    # recursion. OSError is the disk's, and no word about the archive.
    except (
        tarfile.TarError,
        EOFError,
        ValueError,
        ArithmeticError,
        LookupError,
        RecursionError,
        struct.error,
    ) as ex:
        raise ArchiveError(
            "the upload is not a whole tar archive: it is cut short or damaged;"
            " make it with: tar cfz NAME.tar.gz NAME"
        ) from ex


def is_archive(head: bytes) -> bool:
    """Whether a file of these first 512 bytes is a tar, or gzipped.

    No protobuf is: a tar's header carries its own checksum, and none begins as gzip.
    """
    if head.startswith(_GZIP):
        return True
    try:
        tarfile.TarInfo.frombuf(head, tarfile.ENCODING, "surrogateescape")
    except (tarfile.TarError, ValueError):
        return False
    return True


def pack(files: Mapping[str, Path], top: str, *, gzipped: bool = True) -> Packed:
    """Pack files as a tar with one top folder; the same files, the same bytes.

    Every file is opened before this returns: what is deleted or replaced afterwards
    comes whole all the same.

    Args:
        files: each by its name inside the folder, in the order they are packed.
        top: the folder's name.
        gzipped: what is not has a length that is known before.

    Raises:
        OSError: one cannot be opened.
    """
    with ExitStack() as stack:
        opened = [
            (f"{top}/{name}", stack.enter_context(path.open("rb")))
            for name, path in files.items()
        ]
        return Packed(opened, stack.pop_all(), gzipped)


class Packed(Iterator[bytes]):
    """A tar, piece by piece; its files are closed at its end.

    Attributes:
        length: bytes in all; None of a gzipped one, before it is packed.
    """

    def __init__(
        self, opened: Sequence[tuple[str, IO[bytes]]], stack: ExitStack, gzipped: bool
    ) -> None:
        members = [(_member(name, stream), stream) for name, stream in opened]
        tar = _tar_of(members)
        self._pieces = _deflated(tar) if gzipped else tar
        self._stack = stack
        self.length = None if gzipped else _length(member for member, _ in members)

    def __next__(self) -> bytes:
        try:
            return next(self._pieces)
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Close the files; a server does so when its client has gone."""
        self._stack.close()


def _member(name: str, stream: IO[bytes]) -> tarfile.TarInfo:
    member = tarfile.TarInfo(name)
    member.size = os.fstat(stream.fileno()).st_size
    member.mtime = _TIME
    return member


def _length(members: Iterable[tarfile.TarInfo]) -> int:
    return len(_END) + sum(
        len(_header(member)) + member.size + len(_padding(member)) for member in members
    )


def _tar_of(members: Sequence[tuple[tarfile.TarInfo, IO[bytes]]]) -> Iterator[bytes]:
    for member, stream in members:
        yield _header(member)
        left = member.size
        while left:
            chunk = stream.read(min(left, _CHUNK))
            if not chunk:
                raise EOFError(f"{member.name} was cut while it was packed")
            yield chunk
            left -= len(chunk)
        yield _padding(member)
    yield _END


def _header(member: tarfile.TarInfo) -> bytes:
    return member.tobuf(tarfile.GNU_FORMAT, "utf-8")


def _padding(member: tarfile.TarInfo) -> bytes:
    return bytes(-member.size % tarfile.BLOCKSIZE)


def _deflated(chunks: Iterator[bytes]) -> Iterator[bytes]:
    deflater = zlib.compressobj(_LEVEL, wbits=31)
    for chunk in chunks:
        if piece := deflater.compress(chunk):
            yield piece
    yield deflater.flush()


def _unpack_members(source: _Source, folder: Path, limits: Limits) -> None:
    top: str | None = None
    count = 0
    names = _Names()
    with _Archive.open(fileobj=source, mode="r|") as tar:
        while member := tar.next():
            tar.members.clear()  # tarfile would keep them all
            count += 1
            if count > limits.members:
                raise ArchiveError(
                    f"the archive holds more than {limits.members} files and folders"
                )
            # tarfile would go back, or count the blocks up to there, one by one.
            if member.size < 0:
                raise ArchiveError(f"{_shown(member)} has a negative size")
            if member.size > limits.total_bytes:
                raise TooLarge(
                    f"the archive unpacks to more than {limits.total_bytes} bytes"
                )
            if _PASSED_OVER.fullmatch(PurePosixPath(member.name).name):
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
            names.add(member, parts)
            _write(tar, member, folder.joinpath(*parts[1:]))
    source.drain()
    if top is None:
        raise ArchiveError("the archive is empty; it must hold one bundle's folder")


class _Names:
    """The names so far: no file twice, and one spelling of each.

    Compared case-folded: the archive must mean the same on every file system.
    """

    def __init__(self) -> None:
        self._spellings: dict[str, str] = {}
        self._files: set[str] = set()

    def add(self, member: tarfile.TarInfo, parts: list[str]) -> None:
        for end in range(2, len(parts) + 1):
            spelling = "/".join(parts[:end])
            known = self._spellings.setdefault(spelling.casefold(), spelling)
            if known != spelling:
                raise ArchiveError(
                    f"the archive holds {known!r} and {spelling!r}, which are one name"
                    " on some file systems"
                )
        if member.isfile():
            if spelling in self._files:
                raise ArchiveError(f"the archive holds {_shown(member)} twice")
            self._files.add(spelling)


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
        if not COMPONENT.fullmatch(part):
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
    """A member whose own headers are bounded, in an archive that has an end."""

    @classmethod
    def fromtarfile(cls, archive: tarfile.TarFile) -> _Member:
        try:
            return super().fromtarfile(archive)
        # The blocks of zeros that end every tar.
        except tarfile.EOFHeaderError:  # type: ignore[attr-defined]
            raise
        except tarfile.HeaderError as ex:
            # tarfile takes any other end for the end, and files would be missing.
            raise tarfile.ReadError("no header where one must be") from ex

    def _proc_member(self, archive: _Archive) -> tarfile.TarInfo:
        # The hook that CPython's tarfile.py offers to subclasses.
        headers = (tarfile.XHDTYPE, tarfile.XGLTYPE, tarfile.SOLARIS_XHDTYPE)
        names = (tarfile.GNUTYPE_LONGNAME, tarfile.GNUTYPE_LONGLINK)
        if self.type in headers + names:
            archive.header_bytes += tarfile.BLOCKSIZE + abs(self.size)
            if (
                not 0 <= self.size <= _MAX_HEADER
                or archive.header_bytes > _MAX_ALL_HEADERS
            ):
                raise ArchiveError(
                    "the archive holds too large headers; make it with:"
                    " tar cfz NAME.tar.gz NAME"
                )
        member: tarfile.TarInfo = super()._proc_member(archive)  # type: ignore[misc]
        return member


class _Archive(tarfile.TarFile):
    """A tar whose headers are bounded, each and all together."""

    tarinfo = _Member
    header_bytes = 0
    members: list[tarfile.TarInfo]


class _Source(io.RawIOBase):
    """The tar's bytes: one layer of gzip taken off, and no more than the limit."""

    def __init__(self, stream: Readable, gzipped: bool, limits: Limits) -> None:
        self._packed = _Packed(stream, limits.total_bytes)
        self._chunks = _inflate(self._packed, gzipped)
        self._ready = b""
        self._left = limits.total_bytes
        self._limit = limits.total_bytes
        self._limits = limits

    def read(self, size: int = -1) -> bytes:
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
        """Read to the end: only there does gzip's checksum prove the rest."""
        while self.read(_CHUNK):
            pass


class _Packed:
    """An upload's bytes as they come, and no more of them than may be unpacked.

    A gzip may go on for ever and hold nothing.

    Attributes:
        size: bytes so far.
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
    if len(chunk) == 1:  # too little to tell a gzip by
        chunk += _read_some(stream)
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
        raise ArchiveError(
            "the upload is not whole gzip data: it is damaged, or was sent as text;"
            " send it with: curl --data-binary @NAME.tar.gz"
        ) from ex
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
