"""The manifests of the versions in a store of objects: each makes a version visible."""

from __future__ import annotations

from bundle.errors import StoreError, StoreUnreachable
from bundle.objects.bucket import TRIES, Bucket
from bundle.objects.keys import version_key
from bundle.objects.manifest import Manifest
from bundle.objects.object_reader import ObjectReader
from bundle.store_errors import no_number_left, no_version, published_anew
from bundle.version import VERSION_NAME


class Manifests:
    """The manifests of a bucket, as publishers write and remove them.

    Each operation may raise ``StoreUnreachable``.

    Args:
        bucket: the bucket.
        reader: the models of the bucket.
    """

    def __init__(self, bucket: Bucket, reader: ObjectReader) -> None:
        self._bucket = bucket
        self._reader = reader

    def read(self, name: str, number: int) -> tuple[Manifest, str]:
        """Read a version's manifest, and its tag.

        Raises:
            ModelNotFound: there is no such version.
            StoreError: it is damaged.
        """
        found = self._bucket.read(version_key(name, number))
        if found is None:
            self._reader.model(name)
            raise no_version(name, number)
        content, tag = found
        try:
            return Manifest.from_json(content), tag
        except ValueError as ex:
            raise StoreError(
                f"the object store's manifest of {name!r} version {number} is damaged"
            ) from ex

    def check(self, name: str, number: int, id_: str) -> str:
        """Check that a version is there; return its manifest's id.

        Args:
            name: the model.
            number: the version.
            id_: the id of the version that is meant; empty is any.

        Raises:
            ModelNotFound: there is no such version.
            ConflictError: another version has the number by now.
        """
        manifest, _ = self.read(name, number)
        if id_ and manifest.id != id_:
            raise published_anew(name, number)
        return manifest.id

    def announce(self, name: str, manifest: Manifest) -> int:
        """Create a manifest under the next number that is free; return the number.

        Raises:
            ConflictError: the model has the highest number that a version may have.
        """
        content = manifest.to_json()
        number = max((0, *self._reader.numbers(name))) + 1
        lost = 0
        while True:
            if not VERSION_NAME.fullmatch(str(number)):
                raise no_number_left(name, number - 1)
            key = version_key(name, number)
            try:
                if self._bucket.create(key, content):
                    return number
                found = self._bucket.read(key)
            except StoreUnreachable:
                # The answer may be lost, and the manifest there. The same number is
                # tried again, where it is found.
                lost += 1
                if lost == TRIES:
                    raise
                continue
            if found is None:  # somebody deleted it at once
                continue
            if found[0] == content:
                return number
            number += 1

    def replace(self, name: str, number: int, manifest: Manifest, tag: str) -> bool:
        """Replace a manifest that still has this tag; False if it has another."""
        key, content = version_key(name, number), manifest.to_json()
        if self._bucket.replace(key, content, tag):
            return True
        # The manifest is this one if only the answer was lost.
        found = self._bucket.read(key)
        return found is not None and found[0] == content

    def delete(self, name: str, number: int) -> None:
        """Delete a manifest, if it is there, whatever labels point to it."""
        self._bucket.delete(version_key(name, number))

    def withdraw(self, name: str, number: int, content: bytes, id_: str = "") -> str:
        """Delete a manifest, and put it back if a label came meanwhile.

        Args:
            name: the model.
            number: the version.
            content: the manifest.
            id_: only labels of this manifest's id matter; empty is any.

        Returns:
            The label for which the version stays; empty if it is deleted.
        """
        self.delete(name, number)
        # A label may have been set after the look. Its setter looks for the version
        # after that, so one of the two sees the other.
        labels = [
            label
            for label, pointed in self._reader.pointers(name).items()
            if pointed.number == number and id_ in ("", pointed.id)
        ]
        if not labels:
            return ""
        self._bucket.create(version_key(name, number), content)
        return min(labels)
