"""The reading of a store of objects: its models, and the files of their versions."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from bundle.errors import BundleError
from bundle.objects.bucket import Bucket, Listed
from bundle.objects.change_list import Change, ChangeList
from bundle.objects.entry import Entry, Pointed
from bundle.objects.keys import (
    LABELS,
    VERSIONS,
    blob_key,
    check_name,
    read_version_key,
)
from bundle.objects.listing import Listing
from bundle.objects.manifest import Blob
from bundle.objects.side_by_side import each
from bundle.store_errors import no_model


class ObjectReader:
    """The models of a bucket, as they are found there.

    Each operation may raise ``StoreUnreachable``.

    Args:
        bucket: the bucket.
    """

    def __init__(self, bucket: Bucket) -> None:
        self._bucket = bucket
        self._change_list = ChangeList(bucket)

    def changes(self) -> list[Change]:
        """Return the last changes, oldest first.

        A change of a publisher that was killed may be missing.
        """
        return self._change_list.read()

    def snapshot(self, known: Mapping[str, Entry]) -> dict[str, Entry]:
        """List all models, by name.

        Args:
            known: the models as they were; what has not changed is not read again.
        """
        # Labels are listed first, so that the version of a label is in the listing.
        labels = self._bucket.list(LABELS)
        versions = self._bucket.list(VERSIONS)
        return self._read(known, labels, versions).entries()

    def look(self, name: str, known: Entry | None = None) -> Entry | None:
        """List one model; None if the store has no version of it."""
        check_name(name)
        labels = self._bucket.list(f"{LABELS}{name}/")
        versions = self._bucket.list(f"{VERSIONS}{name}/")
        before = {} if known is None else {name: known}
        return self._read(before, labels, versions).entries().get(name)

    def model(self, name: str) -> Entry:
        """List one model.

        Raises:
            ModelNotFound: the store has no version of it.
        """
        if (entry := self.look(name)) is None:
            raise no_model(name)
        return entry

    def numbers(self, name: str) -> list[int]:
        """List the numbers of a model's versions, in no order; nothing is read."""
        found = map(read_version_key, self._bucket.list(f"{VERSIONS}{name}/"))
        return [version[1] for version in found if version]

    def pointers(self, name: str) -> Mapping[str, Pointed]:
        """Read a model's labels, and those whose version is not there, too."""
        labels = self._bucket.list(f"{LABELS}{name}/")
        return self._read({}, labels, {}).pointers.get(name, {})

    def fetch(self, name: str, blob: Blob, path: Path) -> None:
        """Write a file of a model into a new file of this machine.

        Raises:
            BundleError: the store has it no more, or has something else.
            OSError: the disk refuses the file.
        """
        try:
            came = self._bucket.fetch(blob_key(name, blob), path, blob.size)
        except FileNotFoundError as ex:
            if ex.filename is not None:  # the disk's own
                raise
            lost = f"the object store has lost a file of {name!r}"
            raise BundleError(lost) from None
        if came != blob.sha256:
            raise BundleError(f"the object store's file of {name!r} is damaged")

    def _read(
        self,
        known: Mapping[str, Entry],
        labels: Mapping[str, Listed],
        versions: Mapping[str, Listed],
    ) -> Listing:
        listing = Listing(known, labels, versions)
        contents = each(lambda unread: self._bucket.read(unread.key), listing.unread)
        for unread, found in zip(listing.unread, contents, strict=True):
            if found is not None:  # else it was deleted after the listing
                listing.take(unread, *found)
        return listing
