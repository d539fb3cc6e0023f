"""The files of the versions in a store of objects, each under its sha256."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from pathlib import Path

from bundle.manifest import sha256_of
from bundle.objects.bucket import Bucket
from bundle.objects.keys import BLOBS, blob_key
from bundle.objects.manifest import Blob
from bundle.objects.object_reader import ObjectReader
from bundle.objects.side_by_side import each

# Files that no manifest names may belong to an upload that still runs. An upload of
# this project's largest bundles takes minutes.
GRACE_SECONDS = 3600.0


class Blobs:
    """The files of a bucket, as publishers write and remove them.

    Each operation may raise ``StoreUnreachable``.

    Args:
        bucket: the bucket.
        reader: the models of the bucket.
        grace_seconds: files that no manifest names are removed when they are so old.
    """

    def __init__(
        self,
        bucket: Bucket,
        reader: ObjectReader,
        grace_seconds: float = GRACE_SECONDS,
    ) -> None:
        self._bucket = bucket
        self._reader = reader
        self._grace_seconds = grace_seconds

    def upload(
        self,
        name: str,
        files: Mapping[str, Path],
        blobs: Mapping[str, Blob],
        used: Collection[Blob] = (),
    ) -> None:
        """Write the files that the store does not have, or could lose in a sweep.

        Args:
            name: the model.
            files: the files, by their names.
            blobs: their contents, by their names.
            used: the contents that the version has already.
        """
        there = self._bucket.list(f"{BLOBS}{name}/")
        missing: dict[str, Path] = {}
        reused: dict[str, Path] = {}
        for file, blob in blobs.items():
            key = blob_key(name, blob)
            if key not in there or there[key].size != blob.size:
                missing[key] = files[file]
            elif blob not in used:
                reused[key] = files[file]
        if reused:
            # A sweep takes old files that no manifest names. If it runs at this moment,
            # it sees by the new time that somebody needs the file.
            until = self._bucket.time() - self._grace_seconds / 2
            old = (key for key in reused if there[key].changed < until)
            missing |= {key: reused[key] for key in old}
        each(lambda key: self._bucket.put(key, missing[key]), missing)

    def sweep(self, name: str) -> None:
        """Remove the files that no version of a model needs."""
        # The files are listed first: a file that came later belongs to an upload.
        blobs = self._bucket.list(f"{BLOBS}{name}/")
        # A model without versions is gone, and nobody would sweep it later.
        is_gone = not self._reader.numbers(name)
        until = self._bucket.time() - self._grace_seconds if blobs else 0.0
        old = [
            key for key, listed in blobs.items() if is_gone or listed.changed < until
        ]
        if not old:
            return
        needed = self._needed(name)
        for key in old:
            if key in needed:
                continue
            # A publisher may need the file since the look: it has written the file
            # anew, or has published the first version of a model that was gone.
            if self._bucket.changed(key) != blobs[key].changed:
                continue
            if is_gone and self._reader.numbers(name):
                return
            self._bucket.delete(key)

    def _needed(self, name: str) -> set[str]:
        """Return the keys of the files that a model's manifests name."""
        entry = self._reader.look(name)
        return {
            blob_key(name, blob)
            for version in (entry.versions.values() if entry else ())
            for blob in version.manifest.files.values()
        }


def blobs_of(files: Mapping[str, Path]) -> dict[str, Blob]:
    """Read the contents of files, by their names.

    Raises:
        OSError: a file cannot be read.
    """
    return {
        name: Blob(sha256_of(path), path.stat().st_size) for name, path in files.items()
    }
