"""The members of a tar, read in one pass.

``tarfile`` reads everything that a header announces: endless maps of sparse files,
recursive headers of headers, attributes for all files that follow. Here it only parses
one block of 512 bytes at a time. Every other header is bounded before it is read.
"""

from __future__ import annotations

import re
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

from bundle.entry import Entry
from bundle.errors import ArchiveError

_BLOCK = tarfile.BLOCKSIZE
_CHUNK = 1 << 18

# Most bytes of one of a member's extra headers (a long name, macOS's attributes), and
# of all such headers. GNU's and POSIX's tar need some hundred bytes.
_MAX_HEADER = 1 << 12
_MAX_ALL_HEADERS = 1 << 20

# A record of POSIX.1-2001's pax is "%d %s=%s\n"; the number is the record's length.
_RECORD = re.compile(rb"([1-9][0-9]{0,5}) ([^=\n]+)=")
_SIZE = re.compile(rb"[0-9]{1,20}")
_SPARSE = b"GNU.sparse."
# These keys belong to one member, and make no sense for all members at once.
_OF_ONE_MEMBER = (b"path", b"size", b"linkpath")

# No content follows the headers of these types, even if a header tells a size.
_WITHOUT_CONTENT = (
    tarfile.LNKTYPE,
    tarfile.SYMTYPE,
    tarfile.CHRTYPE,
    tarfile.BLKTYPE,
    tarfile.DIRTYPE,
    tarfile.FIFOTYPE,
)


class Source(Protocol):
    """The source of a tar's bytes."""

    def read(self, size: int, /) -> bytes:
        """Return ``size`` bytes; fewer only at the end."""


@dataclass
class _Given:
    """The description of a member in its extra headers, which come before it."""

    name: str | None = None
    size: int | None = None
    is_sparse: bool = False


def read_tar(source: Source) -> Iterator[Entry]:
    """Give each member; content that the caller does not read is passed over.

    Raises:
        ArchiveError: the tar is cut short or damaged, holds a sparse file, or has too
            large headers.
    """
    spent = 0
    given = _Given()
    seen: set[bytes] = set()
    while info := _read_header(source):
        if info.type in _HEADERS:
            spent += _BLOCK + abs(info.size)
            if not 0 <= info.size <= _MAX_HEADER or spent > _MAX_ALL_HEADERS:
                raise ArchiveError(
                    "the archive holds too large headers; make it with:"
                    " tar cfz NAME.tar.gz NAME"
                )
            # Each type may stand once before a member. git writes one for all members.
            if info.type in seen:
                raise damaged()
            seen.add(info.type)
            _HEADERS[info.type](_read_content(source, info.size), given)
            continue
        if given.name is not None:
            info.name = given.name
        if given.size is not None:
            info.size = given.size
        if given.is_sparse or info.type == tarfile.GNUTYPE_SPARSE:
            raise ArchiveError(
                f"the archive holds a sparse file, {info.name[:200]!r}; make it"
                " without tar's option --sparse (-S)"
            )
        size = 0 if info.type in _WITHOUT_CONTENT else info.size
        content = _Content(source, size)
        yield Entry(info.name, info.size, info.isdir(), _oddity(info), content)
        content.pass_over()
        given = _Given()
        seen.clear()


def damaged() -> ArchiveError:
    """Make the error for a tar that cannot be read."""
    return ArchiveError(
        "the upload is not a whole tar archive: it is cut short or damaged;"
        " make it with: tar cfz NAME.tar.gz NAME"
    )


def is_header(block: bytes) -> bool:
    """Tell whether a block is a tar's header; a header has its own checksum."""
    try:
        tarfile.TarInfo.frombuf(block, "utf-8", "surrogateescape")
    except (tarfile.TarError, ValueError):
        return False
    return True


def _read_header(source: Source) -> tarfile.TarInfo | None:
    """Read the next header; None at the block of zeros that ends every tar."""
    block = source.read(_BLOCK)
    if len(block) == _BLOCK and not block.strip(b"\0"):
        return None
    try:
        return tarfile.TarInfo.frombuf(block, "utf-8", "surrogateescape")
    except (tarfile.TarError, ValueError) as ex:
        raise damaged() from ex


def _oddity(info: tarfile.TarInfo) -> str:
    if info.issym() or info.islnk():
        return "a link"
    return "" if info.isfile() or info.isdir() else "a special file"


def _read_content(source: Source, size: int) -> bytes:
    content = _Content(source, size)
    data = b"".join(content)
    content.pass_over()
    return data


class _Content(Iterator[bytes]):
    """A member's bytes, in pieces."""

    def __init__(self, source: Source, size: int) -> None:
        self._source = source
        self._left = size
        self._padding = -size % _BLOCK

    def __next__(self) -> bytes:
        if self._left <= 0:
            raise StopIteration
        chunk = self._source.read(min(self._left, _CHUNK))
        if not chunk:
            raise damaged()
        self._left -= len(chunk)
        return chunk

    def pass_over(self) -> None:
        """Read on to the next header."""
        for _ in self:
            pass
        if len(self._source.read(self._padding)) < self._padding:
            raise damaged()


def _records(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Give the keys and values of a pax header."""
    at = 0
    while at < len(data):
        record = _RECORD.match(data, at)
        end = at + int(record[1]) if record else 0
        if record is None or end < record.end() + 1 or data[end - 1 : end] != b"\n":
            raise damaged()
        yield record[2], data[record.end() : end - 1]
        at = end


def _take_records(data: bytes, given: _Given) -> None:
    for key, value in _records(data):
        if key == b"path":
            given.name = _text(value).rstrip("/")
        elif key == b"size":
            if not _SIZE.fullmatch(value):
                raise damaged()
            given.size = int(value)
        elif key.startswith(_SPARSE):
            given.is_sparse = True


def _check_records(data: bytes, given: _Given) -> None:
    for key, _ in _records(data):
        if key in _OF_ONE_MEMBER or key.startswith(_SPARSE):
            raise ArchiveError(
                f"the archive gives all its files one {_text(key)[:40]!r}; make it"
                " with: tar cfz NAME.tar.gz NAME"
            )


def _take_name(data: bytes, given: _Given) -> None:
    given.name = _text(data.partition(b"\0")[0]).rstrip("/")


def _pass_over(data: bytes, given: _Given) -> None:
    """Ignore the long target of a link, because no link is taken."""


def _text(data: bytes) -> str:
    return data.decode("utf-8", "surrogateescape")


_HEADERS = {
    tarfile.XHDTYPE: _take_records,
    tarfile.SOLARIS_XHDTYPE: _take_records,
    tarfile.XGLTYPE: _check_records,
    tarfile.GNUTYPE_LONGNAME: _take_name,
    tarfile.GNUTYPE_LONGLINK: _pass_over,
}
