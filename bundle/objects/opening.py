"""The opening of a store, which is a folder or the URL of an object store."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from bundle.errors import StoreError
from bundle.objects.address import Place, cache_of
from bundle.store import ModelStore

if TYPE_CHECKING:
    from bundle.objects.bucket import Bucket
    from bundle.objects.mirrored_store import MirroredStore


def open_store(place: Place, keep: int = 0, folder: Path | None = None) -> ModelStore:
    """Open a store for a command, and read what an object store has.

    Args:
        place: a folder, or the URL of an object store.
        keep: the versions without a label that a model keeps; see ``ModelStore``.
        folder: the folder of this machine's copy of an object store; None is the usual
            one.

    Raises:
        StoreError: the URL cannot be opened, or the extra ``objects`` is missing.
        StoreUnreachable: the object store does not answer.
    """
    if isinstance(place, Path):
        return ModelStore(place, keep)
    store = open_objects(place, keep, folder or cache_of(place))
    store.refresh()
    return store


def open_objects(
    url: str,
    keep: int,
    folder: Path,
    max_bytes: int | None = None,
    *,
    is_patient: bool = True,
) -> MirroredStore:
    """Open an object store; it is asked when somebody needs something.

    Args:
        url: the object store.
        keep: see ``open_store``.
        folder: the folder of this machine's copy.
        max_bytes: the most bytes of the copy; None is no limit.
        is_patient: a request that fails is tried again.

    Raises:
        StoreError: the URL cannot be opened, or the extra ``objects`` is missing.
    """
    bucket = open_place(url, is_patient=is_patient)
    # These modules import obstore, which a store in a folder does not need.
    from bundle.objects.mirror import Mirror
    from bundle.objects.mirrored_store import MirroredStore
    from bundle.objects.object_store import ObjectStore
    from bundle.objects.room import ENDLESS

    objects = ObjectStore(bucket, keep)
    return MirroredStore(Mirror(objects, folder, max_bytes or ENDLESS))


def open_place(url: str, *, is_patient: bool = True) -> Bucket:
    """Open any place in an object store; nothing is asked yet.

    Args:
        url: the place.
        is_patient: a request that fails is tried again.

    Raises:
        StoreError: the URL cannot be opened, or the extra ``objects`` is missing.
    """
    if find_spec("obstore") is None:
        raise StoreError(
            "an object store needs the package obstore: pip install"
            " 'tfaas-onnx[objects]' (docs/objects.md)"
        )
    from bundle.objects.bucket import open_bucket

    return open_bucket(url, is_patient=is_patient)
