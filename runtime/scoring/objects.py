"""Inputs in an object store: a folder of pictures, or a file of rows or arrays.

Pictures are read where they are scored. A file of rows or arrays is fetched first.
"""

from __future__ import annotations

import atexit
import hashlib
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from bundle.decode import PICTURES
from bundle.errors import ImageError, StoreError, StoreUnreachable, TooLarge
from bundle.objects.opening import open_place
from runtime.admin.errors import AdminError
from runtime.scoring.chunks import Chunk, Kept, Objects, Source

if TYPE_CHECKING:
    from bundle.objects.bucket import Bucket, Listed

# A store answers after some ms, and several requests wait together.
_TOGETHER = 16


class PictureObjects:
    """All pictures below a URL, in the order of their names.

    Args:
        url: the URL, without a slash at its end.
        found: the objects below it, by their keys.
    """

    kept: tuple[Kept, ...] = ()

    def __init__(self, url: str, found: Mapping[str, Listed]) -> None:
        self._url = url
        self._keys = sorted(filter(_is_picture, found), key=lambda key: key.split("/"))
        if not self._keys:
            raise AdminError(
                f"{url} has no pictures: no name in it ends with"
                f" {', '.join(PICTURES[:-1])} or {PICTURES[-1]}"
            )
        self.identity = _identity(url, {key: found[key] for key in self._keys})
        self.total = len(self._keys)

    def chunks(self, size: int, done: int) -> Iterator[Chunk]:
        """See ``Source``."""
        for first in range(done, self.total, size):
            keys = self._keys[first : first + size]
            yield Chunk(keys, Objects(self._url, keys))


class Fetched:
    """A file that was fetched from an object store.

    Args:
        source: the source that reads the file.
        identity: a text that changes when the object does.
    """

    def __init__(self, source: Source, identity: str) -> None:
        self._source = source
        self.identity = identity
        self.total = source.total
        self.kept = source.kept

    def chunks(self, size: int, done: int) -> Iterator[Chunk]:
        """See ``Source``."""
        return self._source.chunks(size, done)


def pictures_below(url: str) -> PictureObjects:
    """Find the pictures below a URL; names that begin with a dot are left out.

    Raises:
        AdminError: there are none.
        StoreError: the URL cannot be opened, or the store does not answer.
    """
    return PictureObjects(url, bucket_of(url).list(""))


def fetch(url: str) -> tuple[Path, str]:
    """Fetch a file into a folder that is removed at the end of this process.

    Returns:
        The file, and its identity.

    Raises:
        AdminError: it is not there.
        StoreError: the store does not answer, or the disk refuses the file.
    """
    parent, _, name = url.rpartition("/")
    bucket = bucket_of(parent)
    listed = bucket.look(name)
    if listed is None:
        raise AdminError(f"{url} is not there")
    folder = Path(tempfile.mkdtemp(prefix="tfaas-score-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    try:
        if not bucket.fetch(name, folder / name, listed.size):
            raise StoreUnreachable(f"{url} changed while it was fetched")
    except FileNotFoundError:
        raise AdminError(f"{url} is not there") from None
    except OSError as ex:
        raise StoreError(f"{url} cannot be fetched: {ex.strerror}") from ex
    return folder / name, _identity(url, {name: listed})


def read_objects(
    url: str, keys: list[str], most_bytes: int
) -> Iterator[bytes | ImageError]:
    """Read objects, several at a time, and give them in the order of their keys.

    Args:
        url: the URL below which they are.
        keys: their keys below the URL.
        most_bytes: an object that is larger is not read.

    Raises:
        StoreError: the store does not answer.
    """
    bucket = bucket_of(url)

    def read(key: str) -> bytes | ImageError:
        try:
            got = bucket.read(key, most_bytes)
        except TooLarge as ex:
            return ImageError(f"the picture cannot be read: {ex}")
        return got[0] if got else ImageError("the picture is not there")

    with ThreadPoolExecutor(_TOGETHER) as pool:
        # The files of a whole chunk might not fit into the memory.
        for first in range(0, len(keys), _TOGETHER):
            yield from pool.map(read, keys[first : first + _TOGETHER])


@lru_cache(maxsize=8)
def bucket_of(url: str) -> Bucket:
    """Open a place in an object store, once for all chunks.

    Raises:
        StoreError: it cannot be opened, or the extra ``objects`` is missing.
    """
    return open_place(url)


def _is_picture(key: str) -> bool:
    is_hidden = any(part.startswith(".") for part in key.split("/"))
    return key.lower().endswith(PICTURES) and not is_hidden


def _identity(url: str, found: Mapping[str, Listed]) -> str:
    digest = hashlib.sha256(url.encode())
    for key, listed in found.items():
        digest.update(f"\0{key}\0{listed.tag} {listed.size}".encode())
    return digest.hexdigest()
