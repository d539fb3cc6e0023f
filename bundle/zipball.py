"""The entries of a zip, read without trust in its directory.

``zipfile`` reads the whole central directory, and makes an object for each entry. So it
gets the file with a bound on the bytes of one read. No entry may share bytes with
another, be larger than the limits, or be encrypted.
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

# A zip begins with its first entry's header; an empty zip begins with its end record.
MAGIC = (b"PK\x03\x04", b"PK\x05\x06")

_CHUNK = 1 << 18
# Each entry of the directory takes 46 bytes, its name, and a few bytes for times and
# owners. zipfile also reads the last 64 KiB, to find the directory's end.
_MAX_DIRECTORY = 1 << 20
# The header before each entry's data takes at least this many bytes (APPNOTE 4.3.7).
_LEAST_HEADER = 30
# Nobody packs models with the other methods, and LZMA may need gigabytes of memory.
METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
_ENCRYPTED = 1
_UNIX = 3  # APPNOTE 4.4.2.2
# A .keras file is a zip with these files.
_KERAS = {"config.json", "metadata.json"}

# zipfile raises these errors for damaged files. OSError is an error of the disk.
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
        stream: the whole zip, at any position.
        members: the most entries that it may have.
        total_bytes: the most bytes that all entries may have, unpacked.

    Raises:
        ArchiveError: it is no whole zip, or one that is not taken.
        TooLarge: it unpacks to more than ``total_bytes``.
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
        zipfile.BadZipFile: it is no zip, or its directory is too large. ``zipfile``
            raises other errors for damaged files, too.
    """
    return zipfile.ZipFile(_Bounded(stream))


def check_apart(archive: zipfile.ZipFile) -> None:
    """Check that no two entries share bytes, which could unpack to endless data.

    Raises:
        zipfile.BadZipFile: two entries share bytes, or an entry and the directory do.
    """
    infos = sorted(archive.infolist(), key=lambda info: info.header_offset)
    starts = [info.header_offset for info in infos] + [archive.start_dir]
    for info, start, following in zip(infos, starts, starts[1:], strict=False):
        if start < 0 or start + _LEAST_HEADER + info.compress_size > following:
            raise zipfile.BadZipFile("entries overlap")


def _name(info: zipfile.ZipInfo) -> str:
    # Compress-Archive of Windows PowerShell separates folders by backslashes, against
    # APPNOTE 4.4.17. In a zip made on Unix, a backslash is a part of the name, and such
    # a name is refused later.
    is_of_unix = info.create_system == _UNIX
    return info.filename if is_of_unix else info.filename.replace("\\", "/")


def _oddity(info: zipfile.ZipInfo) -> str:
    # These bits hold the file mode if the zip was made on Unix, and 0 otherwise.
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
        # The stream ends after the size in the directory, and compares the checksum.
        while chunk := stream.read(_CHUNK):
            left -= len(chunk)
            yield chunk
        if left:
            raise EOFError


class _Bounded(io.RawIOBase):
    """A file that refuses to read more bytes at once than a directory may have."""

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
