"""The ``ModelStore`` over an object store, and over the copy of it on this machine."""

from __future__ import annotations

import logging
import weakref
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

from bundle.errors import (
    BundleError,
    ModelNotFound,
    StoreError,
    StoreUnreachable,
)
from bundle.objects.mirror import Mirror
from bundle.publication import Check, Write, check_whole, written
from bundle.spec import ModelSpec
from bundle.staging import locked
from bundle.store import ModelStore
from bundle.store_errors import no_model, store_error
from bundle.version import Away, Version
from bundle.version_labels import check_label

T = TypeVar("T")

logger = logging.getLogger(__name__)

# The mark of a version that this machine published.
_OWN = ".own.json"


class MirroredStore(ModelStore):
    """The models of an object store; see ``ModelStore``.

    It lists what the index has, and fetches a version that somebody asks for. A change
    is made in the object store, and then here at once; other machines follow.

    Args:
        mirror: the copy on this machine.
    """

    def __init__(self, mirror: Mirror) -> None:
        super().__init__(mirror.root)
        self.mirror = mirror

    def keep_versions(self, keep: int) -> None:
        """See ``ModelStore``."""
        self.mirror.objects.keep_versions(keep)

    @property
    def here(self) -> ModelStore:
        """See ``ModelStore``: the copy, which is never asked for more than it has."""
        return self.mirror.local

    def refresh(self) -> None:
        """See ``ModelStore``."""
        self.mirror.refresh()

    def check_writable(self) -> None:
        """See ``ModelStore``."""
        self.mirror.objects.check_writable()

    def sweep(self) -> None:
        """See ``ModelStore``."""
        self.mirror.sweep()

    def names(self) -> list[str]:
        """See ``ModelStore``."""
        return self.mirror.index.names()

    def versions(self, name: str) -> list[int]:
        """See ``ModelStore``."""
        entry = self.mirror.index.entry(name)
        return sorted(entry.versions) if entry else []

    def labels(self, name: str) -> dict[str, int]:
        """See ``ModelStore``."""
        entry = self.mirror.index.entry(name)
        return entry.labels if entry else {}

    def serving(self, name: str) -> int:
        """See ``ModelStore``; nothing is fetched."""
        return self.mirror.wanted(name, None, None)[1]

    def check_there(self, spec: ModelSpec) -> None:
        """See ``ModelStore``."""
        self.mirror.wanted(*spec)

    def away(self, name: str, number: int | None = None) -> Away | None:
        """See ``ModelStore``."""
        entry = self.mirror.index.entry(name)
        number = entry.find(number, None) if entry else None
        if entry is None or number is None or number in self.here.versions(name):
            return None
        manifest = entry.versions[number].manifest
        sizes = {file: blob.size for file, blob in manifest.files.items()}
        return Away(number, manifest.created, manifest.params, sizes)

    def is_unloaded(self, name: str) -> bool:
        """See ``ModelStore``."""
        entry = self.mirror.index.entry(name)
        return bool(entry and entry.unloaded)

    def version(self, name: str, number: int) -> Version:
        """See ``ModelStore``; a version that is not here is fetched.

        Raises:
            StoreUnreachable: it is not here, and the object store does not answer.
        """
        try:
            return self.here.version(name, number)
        except ModelNotFound:
            self._fetch(name, number)
        return self.here.version(name, number)

    def newest(self, name: str) -> Version:
        """See ``ModelStore``; it is fetched if it is not here."""
        entry = self.mirror.index.entry(name)
        return self.version(name, max(entry.versions) if entry else 0)

    def install(self, write: Write, check: Check = check_whole) -> Version:
        """See ``ModelStore``; the version is in the object store when this returns.

        Raises:
            StoreUnreachable: the object store does not answer; or the version is there,
                and cannot be brought here yet, as the sentence says.
        """
        self.check_writable()
        with written(self._staging, write, check) as (staged, name):
            files = Version(name, 1, staged, ()).files()
            number = self.mirror.objects.publish(staged, files, name)
            logger.info("published %s version %d", name, number)
            (staged / _OWN).write_text("{}")
            self._take(name, number, staged)
            own = self.root / name / str(number) / _OWN
            # The mirror of another process may have brought it here first.
            if own.parent.exists() and not own.exists():
                own.write_text("{}")
        return self.here.version(name, number)

    def set_label(
        self, name: str, label: str, number: int, origin: tuple[int, ...] | None = None
    ) -> None:
        """See ``ModelStore``; the label is set in the object store first."""
        check_label(label)
        self.check_origin(name, number, origin)
        record = self.mirror.copy.record(name, number)
        id_ = record.id if record else ""
        self.mirror.objects.set_label(name, label, number, id_)
        logger.info("%s label %s is version %d", name, label, number)
        self._follow(name)

    def delete_label(self, name: str, label: str) -> int:
        """See ``ModelStore``."""
        number = self.mirror.objects.delete_label(name, label)
        logger.info("%s label %s is deleted", name, label)
        self._follow(name)
        return number

    def set_unloaded(self, name: str, is_unloaded: bool) -> None:
        """See ``ModelStore``; all machines follow."""
        self.mirror.objects.set_unloaded(name, is_unloaded)
        logger.info("%s is %s", name, "unloaded" if is_unloaded else "loaded")
        self._follow(name)

    def delete(self, name: str) -> None:
        """See ``ModelStore``."""
        self.mirror.objects.delete(name)
        logger.info("deleted %s", name)
        self._follow(name)

    def delete_version(self, name: str, number: int) -> str:
        """See ``ModelStore``; there never is another folder with this number."""
        self.mirror.objects.delete_version(name, number)
        logger.info("deleted %s version %d", name, number)
        self._follow(name)
        return ""

    def age(self) -> float:
        """See ``ModelStore``."""
        return self.mirror.index.age()

    def behind(self) -> int:
        """See ``ModelStore``."""
        return self.mirror.index.state().behind

    def holding(self, open_version: Callable[[Version], T]) -> Callable[[Version], T]:
        """See ``ModelStore``: a version that is in memory makes no room for others."""

        def opened(version: Version) -> T:
            held = self.mirror.copy.uses.hold(version.name, version.number)
            try:
                model = open_version(version)
            except BaseException:
                self.mirror.copy.uses.release(held)
                raise
            weakref.finalize(model, self.mirror.copy.uses.release, held)
            return model

        return opened

    def is_own(self, version: Version) -> bool:
        """See ``ModelStore``: the machine that published a version completes it."""
        return (self._folder(version) / _OWN).exists()

    def share(self, version: Version) -> None:
        """See ``ModelStore``: the version's manifest gets the files that were added.

        Raises:
            StoreUnreachable: the object store does not answer.
        """
        record = self.mirror.copy.record(version.name, version.number)
        if record is None:
            raise no_model(version.name)
        try:
            with locked(version.path, shared=True):
                # Triton's files lie one folder deeper than the manifest's.
                whole = replace(version, path=self._folder(version))
                is_shared = self.mirror.objects.revise(
                    version.name, version.number, record.id, whole.files()
                )
        except OSError as ex:
            raise store_error("read", ex) from ex
        if not is_shared:
            logger.info(
                "%s version %d was changed elsewhere, and that stays",
                version.name,
                version.number,
            )
        self._follow(version.name)

    def _folder(self, version: Version) -> Path:
        return self.root / version.name / str(version.number)

    def _read_label(self, name: str, label: str) -> int | None:
        return self.labels(name).get(label)

    def _fetch(self, name: str, number: int | None) -> None:
        try:
            self.mirror.bring(name, number, None)
        except OSError as ex:
            raise store_error("written", ex) from ex
        except BundleError as ex:
            raise StoreError(str(ex)) from ex

    def _take(self, name: str, number: int, staged: Path) -> None:
        try:
            self.mirror.adopt(name, number, staged)
        except (StoreError, BundleError, TimeoutError) as ex:
            raise StoreUnreachable(
                f"version {number} of {name!r} is published, and cannot be brought to"
                f" this machine yet: {ex}"
            ) from ex

    def _follow(self, name: str) -> None:
        """Bring a change here that was made in the object store."""
        try:
            self.mirror.refresh_model(name)
        except (StoreError, BundleError, OSError) as ex:
            # The change is made; the next look brings it here.
            logger.warning("%s: the change will be seen here later: %s", name, ex)
