"""The store of bundles as objects: published, labelled and removed without a lock.

A publisher writes the files first, each under the sha256 of its content, and the
version's manifest last, by a conditional creation. The manifest makes the version
visible. So a version is there whole or not at all, and of two publishers who want one
number, one wins and the other takes the next.
"""

from __future__ import annotations

import json
import logging
import time
import uuid
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from bundle.errors import ConflictError, ModelNotFound, StoreError
from bundle.objects.blobs import GRACE_SECONDS, Blobs, blobs_of
from bundle.objects.bucket import Bucket
from bundle.objects.keys import check_name, version_key
from bundle.objects.manifest import Manifest
from bundle.objects.manifests import Manifests
from bundle.objects.object_labels import ObjectLabels
from bundle.objects.object_reader import ObjectReader
from bundle.objects.probe import probe
from bundle.params import FILE_NAME as PARAMS
from bundle.retention import superfluous
from bundle.store_errors import labelled, no_label, no_version

logger = logging.getLogger(__name__)


class ObjectStore(ObjectReader):
    """The models of a bucket, which may be changed.

    Each operation may raise ``StoreUnreachable``. A change is then made or not made,
    and may be asked for again.

    Args:
        bucket: the bucket.
        keep: the versions without a label that a model keeps; see ``ModelStore``.
        grace_seconds: files that no manifest names are removed when they are so old.
        clock: the time in seconds since 1970.
    """

    def __init__(
        self,
        bucket: Bucket,
        keep: int = 0,
        grace_seconds: float = GRACE_SECONDS,
        clock: Callable[[], float] = time.time,
    ) -> None:
        super().__init__(bucket)
        self._keep = keep
        self._clock = clock
        self._is_probed = False
        self._blobs = Blobs(bucket, self, grace_seconds)
        self._manifests = Manifests(bucket, self)
        self._labels = ObjectLabels(bucket)

    def keep_versions(self, keep: int) -> None:
        """Let a model keep so many versions from now on."""
        self._keep = keep

    def check_writable(self) -> None:
        """Check once that the store keeps conditions.

        Raises:
            StoreError: it does not, so nothing may be written.
        """
        if not self._is_probed:
            probe(self._bucket)
            self._is_probed = True

    def publish(self, folder: Path, files: Mapping[str, Path], name: str) -> int:
        """Publish a folder as the next version of a model.

        Args:
            folder: the bundle.
            files: the bundle's files, by their names in the folder.
            name: the model.

        Returns:
            The version's number.

        Raises:
            StoreError: the store lets two publishers win, so nothing was written.
            ConflictError: the model has the highest number that a version may have.
        """
        check_name(name)
        self.check_writable()
        blobs = blobs_of(files)
        self._blobs.upload(name, files, blobs)
        created = datetime.fromtimestamp(self._clock(), UTC)
        manifest = Manifest(
            uuid.uuid4().hex,
            created.isoformat(timespec="seconds"),
            _params_of(folder),
            blobs,
        )
        number = self._manifests.announce(name, manifest)
        # A sweep may have removed old files meanwhile that this version uses again.
        self._blobs.upload(name, files, blobs)
        self._change_list.add(name)
        self._trim(name)
        return number

    def revise(
        self, name: str, number: int, id_: str, files: Mapping[str, Path]
    ) -> bool:
        """Give a version other files beside it, such as model.onnx, which came later.

        The manifest is replaced by compare-and-set. If somebody else has revised the
        version meanwhile, theirs stays.

        Returns:
            Whether the version has these files now.
        """
        self.check_writable()
        manifest, tag = self._manifests.read(name, number)
        if manifest.id != id_:
            return False
        blobs = blobs_of(files)
        if blobs == manifest.files:
            return True
        before = frozenset(manifest.files.values())
        self._blobs.upload(name, files, blobs, before)
        revised = replace(manifest, files=blobs)
        if not self._manifests.replace(name, number, revised, tag):
            return False
        self._blobs.upload(name, files, blobs, before)
        self._change_list.add(name)
        return True

    def set_label(self, name: str, label: str, number: int, id_: str = "") -> None:
        """Point a label to a version, by compare-and-set.

        Args:
            name: the model.
            label: the label.
            number: the version.
            id_: the manifest's id of the version that is meant; empty is any.

        Raises:
            ModelNotFound: there is no such version.
            ConflictError: another version has the number by now, or others change the
                label again and again.
        """
        check_name(name)
        self.check_writable()
        id_ = self._manifests.check(name, number, id_)
        written = self._labels.write(name, label, number, id_)
        try:
            # Somebody may have deleted the version between the look and the write.
            self._manifests.check(name, number, id_)
        except (ModelNotFound, ConflictError):
            self._labels.take_back(name, label, written)
            raise
        finally:
            self._change_list.add(name)

    def delete_label(self, name: str, label: str) -> int:
        """Delete a label; return the number that it pointed to.

        Raises:
            ModelNotFound: there is no such model, or it has no such label.
        """
        check_name(name)
        self.check_writable()
        entry = self.model(name)
        if label not in entry.labels:
            raise no_label(name, label)
        self._labels.delete(name, label)
        self._change_list.add(name)
        return entry.labels[label]

    def set_unloaded(self, name: str, is_unloaded: bool) -> None:
        """Mark a model as unloaded on all machines, or take the mark away.

        Raises:
            ModelNotFound: there is no such model.
        """
        self.model(name)
        self.check_writable()
        self._labels.set_unloaded(name, is_unloaded)
        self._change_list.add(name)

    def delete(self, name: str) -> None:
        """Delete a model with all its versions.

        Raises:
            ModelNotFound: there is no such model.
        """
        entry = self.model(name)
        self.check_writable()
        # The version that serves goes last, and with its labels. So no machine sees
        # that another version serves in between.
        for number in sorted(entry.versions, key=entry.serves.__eq__):
            self._manifests.delete(name, number)
        self._labels.delete_all(name, entry.pointers)
        self._change_list.add(name)
        self._blobs.sweep(name)

    def delete_version(self, name: str, number: int) -> None:
        """Delete one version of a model.

        Raises:
            ModelNotFound: there is no such version.
            ConflictError: a label points to it.
        """
        entry = self.model(name)
        self.check_writable()
        if number not in entry.versions:
            raise no_version(name, number)
        for label, pointed in entry.labels.items():
            if pointed == number:
                raise labelled(name, number, label)
        deleted = entry.versions[number].manifest
        kept_by = self._manifests.withdraw(name, number, deleted.to_json(), deleted.id)
        self._change_list.add(name)
        if kept_by:
            raise labelled(name, number, kept_by)
        self._blobs.sweep(name)

    def _trim(self, name: str) -> None:
        """Delete the oldest versions without a label, down to ``keep`` of them."""
        try:
            extra = self._superfluous(name) if self._keep else []
            for number in extra:
                found = self._bucket.read(version_key(name, number))
                if found and not self._manifests.withdraw(name, number, found[0]):
                    logger.info("trimmed %s version %d", name, number)
            if extra:
                self._change_list.add(name)
            self._blobs.sweep(name)
        except StoreError as ex:  # the new version stays published
            logger.warning("%s: old versions cannot be deleted: %s", name, ex)

    def _superfluous(self, name: str) -> list[int]:
        pointed = {pointed.number for pointed in self.pointers(name).values()}
        return superfluous(self.numbers(name), pointed, self._keep)


def _params_of(folder: Path) -> dict[str, object]:
    try:
        content = json.loads((folder / PARAMS).read_bytes())
    except (OSError, ValueError, RecursionError):  # a bare model has none
        return {}
    return content if isinstance(content, dict) else {}
