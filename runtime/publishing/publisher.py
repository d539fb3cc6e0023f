"""Changes to the store: bundles published, labels moved, models deleted."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bundle.archive import Limits, Readable, unpack
from bundle.errors import BundleError, DomainError, ModelNotFound
from bundle.spec import ModelSpec
from bundle.store import ModelStore
from bundle.version_labels import LABEL_NAME, LABEL_RULE
from runtime.errors import BackendError, InvalidInput
from runtime.models.registry import ModelRegistry
from runtime.publishing.base64_text import Base64Reader
from runtime.publishing.bundle_form import Field, write_form
from runtime.publishing.revision import check_changes, write_revision
from runtime.publishing.trial import Opened, Trial


@dataclass(frozen=True)
class Published:
    """What an upload became.

    Attributes:
        backend: ``engine/device`` that opened it.
        fallback_reason: why that is not ONNX Runtime; else empty.
        warm_up: why the model was not warmed; empty if it was.
        serves: the version that requests get which ask for none: this one, unless
            another is labelled stable.
    """

    name: str
    version: int
    backend: str
    fallback_reason: str
    warm_up: str
    serves: int


class Publisher:
    """Takes bundles into the store, and models out of it.

    Whatever is published is written aside, opened on trial, and put into the store by
    one rename, or not at all.

    Args:
        store: where they go.
        registry: loads what was published, so that the first request finds it warm.
        trial: opens a bundle to see that it can be served.
        max_bytes: of an unpacked bundle.
        on_published: called when there is something new; must not wait.
    """

    def __init__(
        self,
        store: ModelStore,
        registry: ModelRegistry,
        trial: Trial,
        max_bytes: int,
        on_published: Callable[[], None],
    ) -> None:
        self._store = store
        self._registry = registry
        self._trial = trial
        self._max_bytes = max_bytes
        self._on_published = on_published

    def publish(
        self, stream: Readable, *, gzipped: bool = False, is_base64: bool = False
    ) -> Published:
        """Publish the bundle that an archive holds, and load it.

        Args:
            stream: a tar, a gzipped one or a zip, which its bytes tell.
            gzipped: the sender said so, and it is an error if it is not.
            is_base64: the archive comes as base64 text.

        Raises:
            ArchiveError: it is no archive that can be taken.
            InvalidInput: it is no base64 text.
            TooLarge: it unpacks to more than the limit.
            BundleError: it is no whole bundle, or no engine here can open it.
            ProviderError: CUDA was demanded and does not work.
            StoreError: the disk is full or not writable.
        """
        source = Base64Reader(stream) if is_base64 else stream
        limits = Limits(total_bytes=self._max_bytes)
        return self._publish(
            lambda folder: unpack(source, folder, gzipped=gzipped, limits=limits)
        )

    def publish_form(
        self, fields: Iterable[Field], *, is_base64: bool = False
    ) -> Published:
        """Publish the bundle that a form's fields hold, and load it.

        Raises:
            InvalidInput: the fields make no bundle; see ``write_form``.
            ArchiveError, TooLarge, BundleError, ProviderError, StoreError: see
                ``publish``.
        """
        return self._publish(
            lambda folder: write_form(
                fields, folder, is_base64=is_base64, max_bytes=self._max_bytes
            )
        )

    def revise(
        self, name: str, number: int | None, changes: Mapping[str, Any]
    ) -> Published:
        """Publish a version's bundle once more, with changed params.

        Args:
            name: the model.
            number: the version; None is the served one.
            changes: see ``write_revision``.

        Raises:
            InvalidInput: they are none that can be made.
            ModelNotFound: there is no such version.
            BundleError: the model would not load so.
            StoreError: the disk is full or not writable.
        """
        check_changes(changes)
        if not self._store.versions(name):
            raise ModelNotFound(
                f"there is no model {name[:128]!r} whose params could be changed; to"
                " rename one, upload its bundle with the new name in params.json"
            )
        version = self._store.find(name, number)
        return self._publish(lambda folder: write_revision(version, changes, folder))

    def set_label(self, name: str, label: str, number: int) -> None:
        """Point a label to a version that loads here, or move it there.

        Raises:
            InvalidInput: ``label`` is no name for a label.
            ModelNotFound: there is no such version.
            BundleError: it does not load.
            ConflictError: it was deleted meanwhile, and its number used again.
            StoreError: the disk is not writable.
        """
        if not LABEL_NAME.fullmatch(label):
            raise InvalidInput(f"{label[:64]!r} is no name for a label: {LABEL_RULE}")
        origin = self._store.origin(name, number)
        try:
            self._registry.get(ModelSpec(name, version=number))
        except (BackendError, BundleError) as ex:
            raise BundleError(
                f"version {number} of {name!r} cannot be loaded, so no label may point"
                f" to it: {ex}"
            ) from ex
        # It goes to the bundle that was loaded, and to none that took its number later.
        self._store.set_label(name, label, number, origin)
        self._registry.tidy(name)

    def delete_label(self, name: str, label: str) -> int:
        """Take a label away; the number of the version that it pointed to.

        Raises:
            ModelNotFound: there is no such model, or it has no such label.
            StoreError: the disk is not writable.
        """
        number = self._store.delete_label(name, label)
        self._registry.tidy(name)
        return number

    def delete(self, name: str) -> None:
        """Delete a model with all its versions, on disk and in memory.

        Raises:
            ModelNotFound: there is none of this name.
            StoreError: the disk is not writable.
        """
        self._store.delete(name)
        self._registry.drop(name)

    def delete_version(self, name: str, number: int) -> None:
        """Delete one version of a model, on disk and in memory.

        Raises:
            ModelNotFound: there is no such version.
            ConflictError: a label points to it, or it was put there by hand.
            StoreError: the disk is not writable.
        """
        self._store.delete_version(name, number)
        self._registry.drop(name, number)

    def _publish(self, write: Callable[[Path], None]) -> Published:
        tried: list[Opened] = []

        def check(folder: Path) -> str:
            tried.append(self._trial(folder))
            return tried[-1].name

        version = self._store.install(write, check)
        serves = version.number
        # Published it is, whatever comes of this: it may be deleted by now.
        with contextlib.suppress(DomainError):
            self._registry.get(ModelSpec(version.name))
            serves = self._store.current(version.name).number
        self._on_published()
        (opened,) = tried
        return Published(
            version.name,
            version.number,
            opened.engine,
            opened.fallback_reason,
            opened.warm_up,
            serves,
        )
