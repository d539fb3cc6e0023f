"""The entries of a zip, of which nothing is believed before it is looked at.

``zipfile`` reads the central directory whole, and holds an object for each entry: the
file is given to it with a bound on what is read at once. No entry may share bytes with
another, say more than the bounds, or be encrypted.
"""

from __future__ import annotations

import io
import os
import stat
import struct
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO

from bundle.entry import Entry
from bundle.errors import ArchiveError, TooLarge
from bundle.foreign import keras_file

# The first entry's header, and the end of an empty zip.
MAGIC = (b"PK\x03\x04", b"PK\x05\x06")

_CHUNK = 1 << 18
# Each entry takes 46 bytes, its name, and some times and owners. zipfile searches the
# last 64 KiB for the directory's end.
_MAX_DIRECTORY = 1 << 20
# A header before each entry's data: the least that it takes (APPNOTE 4.3.7).
_LEAST_HEADER = 30
# Nobody packs models by the other methods; LZMA may ask for gigabytes of memory.
METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
_ENCRYPTED = 1
_UNIX = 3  # APPNOTE 4.4.2.2
# Files of a .keras file, which is a zip, too.
_KERAS = {"config.json", "metadata.json"}

# Errors that zipfile lets out for damaged files. OSError is the disk's.
_DAMAGES = (
    zipfile.BadZipFile,
    NotImplementedError,
    RuntimeError,
    EOFError,
    ValueError,
    LookupError,
    struct.error,
    zlib.error,
)


def read_zip(stream: IO[bytes], *, members: int, total_bytes: int) -> Iterator[Entry]:
    """Give each entry of a zip, in the order of its directory.

    Args:
        stream: the zip, whole, at any place.
        members: that it may have.
        total_bytes: that all of them may have.

    Raises:
        ArchiveError: it is no whole zip, or one that is not taken.
        TooLarge: it unpacks to more.
    """
    with _whole(), open_zip(stream) as archive:
        infos = archive.infolist()
        if len(infos) > members:
            raise ArchiveError(
                f"the archive holds more than {members} files and folders"
            )
        if sum(info.file_size for info in infos) > total_bytes:
            raise TooLarge(f"the archive unpacks to more than {total_bytes} bytes")
        check_apart(archive)
        if archive.NameToInfo.keys() >= _KERAS:
            raise ArchiveError(keras_file())
        for info in infos:
            name = _name(info)
            yield Entry(
                name,
                info.file_size,
                name.endswith("/"),
                _oddity(info),
                _content(archive, info),
            )


@contextmanager
def _whole() -> Iterator[None]:
    try:
        yield
    except _DAMAGES as ex:
        raise ArchiveError(
            "the upload is not a whole zip archive: it is cut short or damaged; make it"
            " with: zip -r NAME.zip NAME"
        ) from ex


def open_zip(stream: IO[bytes]) -> zipfile.ZipFile:
    """Open a zip whose directory is bounded.

    Raises:
        zipfile.BadZipFile: it is none, or its directory is larger than any that is
            taken; and what else ``zipfile`` lets out.
    """
    return zipfile.ZipFile(_Bounded(stream))


def check_apart(archive: zipfile.ZipFile) -> None:
    """See that no two entries share bytes, which makes small files endlessly large.

    Raises:
        zipfile.BadZipFile: two do, or one shares them with the directory.
    """
    infos = sorted(archive.infolist(), key=lambda info: info.header_offset)
    starts = [info.header_offset for info in infos] + [archive.start_dir]
    for info, start, following in zip(infos, starts, starts[1:], strict=False):
        if start < 0 or start + _LEAST_HEADER + info.compress_size > following:
            raise zipfile.BadZipFile("entries overlap")


def _name(info: zipfile.ZipInfo) -> str:
    # The Compress-Archive of Windows PowerShell parts names by backslashes, against
    # APPNOTE 4.4.17. On Unix one may be a part of a name, which is then not taken.
    is_of_unix = info.create_system == _UNIX
    return info.filename if is_of_unix else info.filename.replace("\\", "/")


def _oddity(info: zipfile.ZipInfo) -> str:
    # Unix's mode, where the zip was made on one; elsewhere 0.
    kind = stat.S_IFMT(info.external_attr >> 16)
    if kind == stat.S_IFLNK:
        return "a link"
    if kind not in (0, stat.S_IFREG, stat.S_IFDIR):
        return "a special file"
    if info.flag_bits & _ENCRYPTED:
        return "an encrypted file"
    if info.compress_type not in METHODS:
        return "a file that is neither stored nor deflated"
    return ""


def _content(archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> Iterator[bytes]:
    left = info.file_size
    with _whole(), archive.open(info) as stream:
        # It ends at the size that the directory tells, and compares the checksum there.
        while chunk := stream.read(_CHUNK):
            left -= len(chunk)
            yield chunk
        if left:
            raise EOFError


class _Bounded(io.RawIOBase):
    """A file of which no more than a directory's bound is read at once."""

    def __init__(self, stream: IO[bytes]) -> None:
        self._stream = stream

    def read(self, size: int = -1, /) -> bytes:
        most = _MAX_DIRECTORY + 1
        data = self._stream.read(most if size < 0 else min(size, most))
        if len(data) == most:
            raise zipfile.BadZipFile("too large a directory")
        return data

    def seek(self, place: int, whence: int = os.SEEK_SET, /) -> int:
        if whence == os.SEEK_SET and place < 0:
            raise zipfile.BadZipFile("a place before the beginning")
        return self._stream.seek(place, whence)

    def tell(self) -> int:
        return self._stream.tell()

    def seekable(self) -> bool:
        return True

    def readable(self) -> bool:
        return True
