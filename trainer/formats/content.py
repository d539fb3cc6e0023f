"""A data file's bytes, ungzipped, in pieces or limited to a size that memory holds."""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from io import BufferedReader
from pathlib import Path

from bundle.foreign import GZIP
from trainer.errors import DataError

# Files that are held in memory whole, such as labels and pickles, are no larger. A gzip
# file of 2 MB can unpack to 2 GiB.
MAX_BYTES = 2 << 30

_CHUNK = 1 << 20


def read_head(path: Path, size: int) -> bytes:
    """Read the first ``size`` bytes of a file, ungzipped; fewer if it has no more.

    Raises:
        DataError: the file cannot be read, or its gzip data is damaged.
    """
    return _read(path, size)


def read_content(path: Path, max_bytes: int = MAX_BYTES) -> bytes:
    """Read all bytes of a file, ungzipped.

    Raises:
        DataError: see ``read_head``; or there are more than ``max_bytes`` bytes.
    """
    content = _read(path, max_bytes + 1)
    if len(content) > max_bytes:
        raise DataError(
            f"{path} unpacks to more than {max_bytes} bytes; no data set of this"
            " format is that large, give another file"
        )
    return content


@contextmanager
def opened(path: Path) -> Iterator[gzip.GzipFile | BufferedReader]:
    """Open a file for reading its bytes, ungzipped, and close it after the block.

    Raises:
        DataError: see ``read_head``; also for what the block reads.
    """
    try:
        with open_unpacked(path) as stream:
            yield stream
    except EOFError:
        raise DataError(
            f"{path} is cut short: its gzip data does not end; fetch it again"
        ) from None
    except (gzip.BadGzipFile, zlib.error) as ex:
        raise DataError(f"{path} is not whole gzip data; fetch it again") from ex
    except OSError as ex:
        raise DataError(f"{path} cannot be read: {ex.strerror}") from ex


def _read(path: Path, size: int) -> bytes:
    content = bytearray()
    with opened(path) as stream:
        # It is read in pieces, because one read of the whole limit would reserve that
        # much memory at once.
        while piece := stream.read(min(_CHUNK, size - len(content))):
            content += piece
    return bytes(content)


def open_unpacked(path: Path) -> gzip.GzipFile | BufferedReader:
    """Open a file, gzipped or not."""
    with path.open("rb") as stream:
        gzipped = stream.read(len(GZIP)) == GZIP
    return gzip.open(path) if gzipped else path.open("rb")
