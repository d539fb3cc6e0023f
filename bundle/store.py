"""The store: bundles on disk as ``<name>/<version>/``, published and deleted whole.

It stands in ``bundle`` because three stages share it: the trainer publishes into it,
the exporter finds models in it, the service serves it. Several processes may use one
store at the same time. They share nothing but the disk, and each change of the store is
ONE rename. So a reader always sees a whole version, either the old or the new one.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from bundle.errors import ConflictError, ModelNotFound, StoreError
from bundle.model_lock import ModelLock
from bundle.publication import (
    Check,
    Write,
    check_whole,
    publish,
    remove_if_empty,
    written,
)
from bundle.retention import superfluous
from bundle.spec import ModelSpec
from bundle.staging import LOCK_SECONDS, Staging, sync
from bundle.store_errors import labelled, no_label
from bundle.store_reader import UNLOADED, StoreReader
from bundle.trash import Trash
from bundle.version import Away, Version, version_folder
from bundle.version_labels import check_label

T = TypeVar("T")

logger = logging.getLogger(__name__)


class ModelStore(StoreReader):
    """Bundles on disk, in versions.

    A label (``stable``, ``canary``) is a name that points to a version and can be
    moved. It is a file ``<name>/.labels/<label>`` that holds the version's number, and
    is replaced by one rename. A process that changes labels or deletes versions locks
    the model's folder, so that no label points to a version deleted at the same time.
    Publishing and reading wait for nobody.

    Args:
        root: the folder that holds ``<name>/<version>/``; made at the first write.
        keep: the number of versions without a label that a model keeps when another is
            published; the oldest are deleted first. 0 keeps all. A version with a
            label, and a flat bundle that was put there by hand, always stay.
        lock_seconds: the longest wait of a change for another change of the model.
    """

    def __init__(
        self, root: Path, keep: int = 0, lock_seconds: float = LOCK_SECONDS
    ) -> None:
        super().__init__(root)
        self._keep = keep
        self._lock = ModelLock(self, lock_seconds)
        self._staging = Staging(root)
        self._trash = Trash(root)

    def keep_versions(self, keep: int) -> None:
        """Let a model keep so many versions from now on; see ``keep`` of the class."""
        self._keep = keep

    @property
    def here(self) -> ModelStore:
        """The store of the files on this machine; another one has nothing to fetch."""
        return self

    def refresh(self) -> None:
        """Read what there is elsewhere, if the models come from elsewhere.

        Raises:
            StoreUnreachable: nobody answers there.
        """

    def check_writable(self) -> None:
        """Check before long work that another store takes versions.

        Raises:
            StoreError: it does not, or does not answer.
        """

    def sweep(self) -> None:
        """Remove what crashes left in staging and trash; call it at the start."""
        self._staging.sweep()
        self._trash.sweep()

    def check_there(self, spec: ModelSpec) -> None:
        """Check that there is such a version, without a fetch.

        Raises:
            ModelNotFound: there is none.
            StoreUnreachable: nobody knows, because another store does not answer.
        """
        self.find(*spec)

    def away(self, name: str, number: int | None = None) -> Away | None:
        """Describe a version whose files are not on this machine yet.

        Args:
            name: the model.
            number: the version; None is the one that serves.

        Returns:
            None if the files are here, or there is no such version.
        """
        return None

    def age(self) -> float | None:
        """Return how many seconds ago another store was read, from which models come.

        It is infinite if that store was never read, and None if there is no other one.
        """
        return None

    def behind(self) -> int:
        """Count the models whose newest state could not be brought here."""
        return 0

    def holding(self, open_version: Callable[[Version], T]) -> Callable[[Version], T]:
        """Return a function that opens a version and keeps its files here meanwhile.

        They stay as long as the object that it returns.
        """
        return open_version

    def is_own(self, version: Version) -> bool:
        """Tell whether this machine should add what a version lacks, such as ONNX."""
        return True

    def share(self, version: Version) -> None:
        """Tell other machines of files that were added to a version's folder."""

    def set_label(
        self, name: str, label: str, number: int, origin: tuple[int, ...] | None = None
    ) -> None:
        """Point a label to a version, or move it there.

        Args:
            name: the model.
            label: the label; see ``LABEL_RULE``.
            number: the version's number.
            origin: the mark of the intended bundle, see ``origin_of``, because another
                bundle may get the number after a delete. None takes any bundle with the
                number.

        Raises:
            ModelNotFound: there is no such version.
            ConflictError: ``label`` is no name for a label, or another bundle has the
                number by now.
            StoreError: the store cannot be written.
        """
        check_label(label)
        with self._lock.alone(name):
            self.check_origin(name, number, origin)
            self._label_files(name).write(label, number)
        logger.info("%s label %s is version %d", name, label, number)

    def delete_label(self, name: str, label: str) -> int:
        """Delete a label; its version stays.

        Returns:
            The version's number.

        Raises:
            ModelNotFound: there is no such model, or it has no such label.
            StoreError: the store cannot be written.
        """
        with self._lock.alone(name):
            number = self._read_label(name, label)
            if number is None:
                raise no_label(name, label)
            self._label_files(name).delete(label)
        logger.info("%s label %s is deleted", name, label)
        return number

    def set_unloaded(self, name: str, is_unloaded: bool) -> None:
        """Mark a model as unloaded, or take the mark away.

        Raises:
            ModelNotFound: the store has no model of this name.
            StoreError: the store cannot be written.
        """
        with self._lock.alone(name):
            folder = self.root / name
            # A file that comes or goes gives the folder a new time, which tells all
            # processes.
            if is_unloaded:
                (folder / UNLOADED).touch()
            else:
                (folder / UNLOADED).unlink(missing_ok=True)
            sync(folder)
        logger.info("%s is %s", name, "unloaded" if is_unloaded else "loaded")

    def install(self, write: Write, check: Check = check_whole) -> Version:
        """Publish a bundle as the next version of the model that its params.json names.

        An error leaves the store as it was.

        Args:
            write: fills an empty folder with the bundle's files.
            check: checks the bundle before anybody else sees it, and returns the name
                in its params.json, or raises. The store itself opens no file of the
                bundle, because a stranger may have made it.

        Returns:
            The version. It serves from now on if no version is labelled stable.

        Raises:
            BundleError: the folder is no whole bundle.
            StoreError: the disk is full or not writable.
        """
        with written(self._staging, write, check) as (staged, name):
            version = publish(self, staged, name)
        logger.info("published %s version %d", name, version.number)
        self._trim(name)
        return version

    def delete(self, name: str) -> None:
        """Delete a model with all its versions.

        Raises:
            ModelNotFound: the store has no model of this name.
            StoreError: the store cannot be written.
        """
        with self._trash.graves() as bury, self._lock.alone(name):
            bury(self.root / name)
            sync(self.root)
        logger.info("deleted %s", name)

    def delete_version(self, name: str, number: int) -> str:
        """Delete one version of a model.

        Returns:
            Another folder with this number (``007`` beside ``7``), which is the version
            from now on; empty if there is none.

        Raises:
            ModelNotFound: there is no such version.
            ConflictError: a label points to it, or it is a flat bundle that was put
                there by hand.
            StoreError: the store cannot be written.
        """
        with self._trash.graves() as bury, self._lock.alone(name):
            self.version(name, number)
            if not number:
                raise ConflictError(
                    f"version 0 of {name!r} is a flat bundle that was put there by"
                    " hand; delete the model with all its versions, or move the folder"
                    " away"
                )
            for label, pointed in self.labels(name).items():
                if pointed == number:
                    raise labelled(name, number, label)
            folder = self.root / name
            bury(version_folder(folder, str(number)))
            sync(folder)
            other = version_folder(folder, str(number))
            left = other.name if other.exists() else ""
            if not self.versions(name):
                self._label_files(name).delete_all()
                (folder / UNLOADED).unlink(missing_ok=True)
                remove_if_empty(folder)
        logger.info("deleted %s version %d", name, number)
        if left:
            logger.warning("%s version %d is the folder %s now", name, number, left)
        return left

    def _trim(self, name: str) -> None:
        """Delete the oldest versions without a label, down to ``keep`` of them."""
        if not self._keep:
            return
        try:
            with self._trash.graves() as bury, self._lock.alone(name):
                pointed = set(self.labels(name).values())
                for number in superfluous(self.versions(name), pointed, self._keep):
                    bury(version_folder(self.root / name, str(number)))
                    logger.info("trimmed %s version %d", name, number)
                sync(self.root / name)
        except ModelNotFound:
            pass  # the whole model is deleted already
        except StoreError as ex:  # the new version stays published
            logger.warning("%s: old versions cannot be deleted: %s", name, ex)
