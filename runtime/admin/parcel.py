"""A parcel to push: a bundle's folder, a folder of versions, or a bundle's archive."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from bundle.archive import HEAD, is_archive
from bundle.folder import open_bundle
from bundle.foreign import told_by
from bundle.packing import Packed, pack
from bundle.staging import locked
from bundle.tarball import is_header
from bundle.version import Version, model_folder
from bundle.versioned import newest_version
from runtime.admin import Transfer
from runtime.admin.errors import AdminError, WorkFailed

_CHUNK = 1 << 18


@contextmanager
def open_parcel(path: Path) -> Iterator[Transfer]:
    """Give a bundle's archive; a folder is packed while it is sent.

    A folder of versions, as TensorFlow Serving and Triton have it, gives its highest
    version. A
    folder is packed without compression: its length is known before, and weights, which
    make up a bundle, hardly get smaller.

    Raises:
        BundleError: the folder is no bundle.
        AdminError: the file is no tar or zip.
        WorkFailed: the files changed while they were sent.
    """
    if path.is_dir():
        folder = _newest(path)
        with closing(_packed(folder)) as packed:
            yield Transfer(_watched(packed, folder), packed.length)
        return
    try:
        with path.open("rb") as stream:
            head = stream.read(HEAD)
        length = path.stat().st_size
    except OSError as ex:
        raise AdminError(f"{path} cannot be read: {ex.strerror}") from ex
    if head and not is_header(head) and (sentence := told_by(head)):
        raise AdminError(f"{path}: {sentence}")
    if not is_archive(head):
        raise AdminError(
            f"{path} is neither a bundle's folder nor a tar or zip of one; make one"
            " with: tar cfz NAME.tar.gz NAME"
        )
    yield Transfer(_watched(_content(path, length), path), length)


def _newest(folder: Path) -> Path:
    try:
        return model_folder(newest_version(folder) or folder)
    except OSError as ex:
        raise AdminError(f"{folder} cannot be read: {ex.strerror}") from ex


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
