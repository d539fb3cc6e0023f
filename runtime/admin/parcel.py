"""A parcel to push: a bundle's folder, or a bundle's archive."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from bundle.folder import open_bundle
from bundle.packing import Packed, pack
from bundle.staging import locked
from bundle.version import Version
from runtime.admin import Transfer
from runtime.admin.errors import AdminError, WorkFailed

_CHUNK = 1 << 18


@contextmanager
def open_parcel(path: Path) -> Iterator[Transfer]:
    """Give a bundle's archive; a folder is packed while it is sent.

    A folder is packed without compression: its length is known before, and weights,
    which make up a bundle, hardly get smaller.

    Args:
        path: the folder or the archive, as ``runtime.bundling.given`` finds it.

    Raises:
        BundleError: the folder is no bundle.
        AdminError: the file or the folder cannot be read.
        WorkFailed: the files changed while they were sent.
    """
    if path.is_dir():
        with closing(_packed(path)) as packed:
            yield Transfer(_watched(packed, path), packed.length)
        return
    try:
        length = path.stat().st_size
    except OSError as ex:
        raise AdminError(f"{path} cannot be read: {ex.strerror}") from ex
    yield Transfer(_watched(_content(path, length), path), length)


def _packed(folder: Path) -> Packed:
    name = open_bundle(folder).params.name
    try:
        # The exporter replaces parity.json and model.onnx together.
        with locked(folder, shared=True):
            # This may be a flat bundle, to which the store gives the number 0, too.
            return pack(Version(name, 0, folder, ()).files(), name, gzipped=False)
    except OSError as ex:
        raise AdminError(f"{folder} cannot be read: {ex.strerror}") from ex


def _content(path: Path, length: int) -> Iterator[bytes]:
    left = length
    with path.open("rb") as stream:
        while left and (chunk := stream.read(min(left, _CHUNK))):
            left -= len(chunk)
            yield chunk
    if left:
        raise EOFError(f"{path} was cut while it was sent")


def _watched(chunks: Iterable[bytes], path: Path) -> Iterator[bytes]:
    try:
        yield from chunks
    except OSError as ex:
        raise WorkFailed(f"{path} cannot be read: {ex.strerror}") from ex
    except EOFError as ex:
        raise WorkFailed(f"{ex}; push it again") from ex
