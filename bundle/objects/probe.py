"""The probe of a store of objects: does it keep the conditions of a write?"""

from __future__ import annotations

import contextlib
import uuid

from bundle.errors import StoreError, StoreUnreachable
from bundle.objects.bucket import NO_BUCKET, Bucket


def probe(bucket: Bucket) -> None:
    """Create one key twice, and replace one object by two others.

    Raises:
        StoreError: the store lets both win, or replaces an object whose tag has
            changed, so two publishers at a time would lose a version there.
        StoreUnreachable: the store does not answer, or has no such bucket.
    """
    key = f"probes/{uuid.uuid4().hex}"
    try:
        first = bucket.create(key, b"1")
    except FileNotFoundError:
        raise StoreUnreachable(NO_BUCKET) from None
    try:
        if not first or bucket.create(key, b"2"):
            raise _careless("lets two programs create one object")
        there = bucket.head(key)
        if not bucket.swap(key, b"3", there) or bucket.swap(key, b"4", there):
            raise _careless("replaces an object that has changed meanwhile")
    finally:
        with contextlib.suppress(StoreError):
            bucket.delete(key)


def _careless(what: str) -> StoreError:
    return StoreError(
        f"the object store {what}, so a version could be lost: this project only reads"
        " it; publish into a store that keeps If-None-Match and If-Match"
    )
