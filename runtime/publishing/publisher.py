"""Changes to the store: bundles are published, labels moved, models deleted."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bundle.archive import unpack
from bundle.errors import BundleError, ConflictError, DomainError, ModelNotFound
from bundle.spec import ModelSpec
from bundle.store import ModelStore
from bundle.upload import Limits, Readable
from bundle.version_labels import LABEL_NAME, LABEL_RULE
from runtime.errors import BackendError, InvalidInput
from runtime.models.registry import ModelRegistry
from runtime.publishing.base64_text import Base64Reader
from runtime.publishing.bundle_form import Field, write_form
from runtime.publishing.bundle_name import name_bundle
from runtime.publishing.revision import read_changes, write_revision
from runtime.publishing.trial import Opened, Trial


@dataclass(frozen=True)
class Published:
    """The result of an upload.

    Attributes:
        backend: the engine that opened it, as ``engine/device``.
        fallback_reason: the reason why that is not ONNX Runtime; else empty.
        warm_up: the reason why the model was not warmed; empty if it was.
        serves: the version that answers requests which name none: this version, unless
            another one is labelled ``stable``; None if the model is unloaded.
    """

    name: str
    version: int
    backend: str
    fallback_reason: str
    warm_up: str
    serves: int | None


class Publisher:
    """Takes bundles into the store, and models out of it.

    Each bundle is written aside, opened on trial, and put into the store by one rename,
    or not at all.

    Args:
        store: the store.
        registry: the registry; it loads a published version, so the first request finds
            it warm.
        trial: the trial that opens a bundle to see whether it can be served.
        max_bytes: the most bytes of an unpacked bundle.
        on_published: a function that is called after each publication; it must not
            wait.

    Attributes:
        max_bytes: the argument of this name; uploads that begin later heed a new one.
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
        self.max_bytes = max_bytes
        self._on_published = on_published

    def publish(
        self,
        stream: Readable,
        *,
        name: str = "",
        gzipped: bool = False,
        is_base64: bool = False,
    ) -> Published:
        """Publish the bundle that an archive holds, and load it.

        A model without params.json gets the name that the request gives, or else the
        name of its folder in the archive.

        Args:
            stream: a tar, a gzipped tar or a zip, which is told from its bytes.
            name: the model's name; empty if the request gives none.
            gzipped: whether the sender said that it is gzipped; it is an error if not.
            is_base64: whether the archive comes as base64 text.

        Raises:
            ArchiveError: the archive cannot be taken.
            InvalidInput: the stream is not base64 text.
            TooLarge: the archive unpacks to more than the limit.
            BundleError: the bundle is not whole, or no engine here can open it.
            ConflictError: ``name`` and params.json name two models.
            ProviderError: CUDA was demanded and does not work.
            StoreError: the disk is full or not writable.
        """
        source = Base64Reader(stream) if is_base64 else stream
        limits = Limits(total_bytes=self.max_bytes)

        def write(folder: Path) -> None:
            top = unpack(source, folder, gzipped=gzipped, limits=limits)
            name_bundle(folder, name, top)

        return self._publish(write, name)

    def publish_form(
        self, fields: Iterable[Field], *, name: str = "", is_base64: bool = False
    ) -> Published:
        """Publish the bundle that a form's fields hold, and load it.

        Raises:
            InvalidInput: the fields make no bundle; see ``write_form``.
            ArchiveError, TooLarge, BundleError, ConflictError, ProviderError,
            StoreError: see ``publish``.
        """
        return self._publish(
            lambda folder: write_form(
                fields,
                folder,
                name=name,
                is_base64=is_base64,
                max_bytes=self.max_bytes,
            ),
            name,
        )

    def revise(
        self, name: str, number: int | None, changes: Mapping[str, Any]
    ) -> Published:
        """Publish a version's bundle once more, with changed params.

        Args:
            name: the model.
            number: the version; None is the served one.
            changes: see ``read_changes`` and ``write_revision``.

        Raises:
            InvalidInput: the changes cannot be made.
            ModelNotFound: there is no such version.
            BundleError: the changed model cannot be loaded.
            StoreError: the disk is full or not writable.
        """
        if not self._store.versions(name):
            raise ModelNotFound(
                f"there is no model {name[:128]!r} whose params could be changed; to"
                " rename one, upload its bundle with the new name in params.json"
            )
        version = self._store.find(name, number)
        changes = read_changes(version, changes)
        return self._publish(lambda folder: write_revision(version, changes, folder))

    def set_label(self, name: str, label: str, number: int) -> None:
        """Point a label to a version that loads here, or move it there.

        The version of an unloaded model is opened on trial, and stays out of memory.

        Raises:
            InvalidInput: ``label`` cannot be the name of a label.
            ModelNotFound: there is no such version.
            BundleError: the version cannot be loaded.
            ConflictError: it was deleted meanwhile, and its number used again.
            StoreError: the disk is not writable.
        """
        if not LABEL_NAME.fullmatch(label):
            raise InvalidInput(f"{label[:64]!r} is no name for a label: {LABEL_RULE}")
        origin = self._store.origin(name, number)
        try:
            if self._store.is_unloaded(name):
                self._trial(self._store.version(name, number).path)
            else:
                self._registry.get(ModelSpec(name, version=number))
        except (BackendError, BundleError) as ex:
            raise _no_label(name, number, str(ex)) from ex
        # The version may serve as it was before somebody broke its files.
        if why := self._registry.failure(name, number):
            raise _no_label(name, number, why)
        # The label goes to the bundle that was loaded, and never to a later one with
        # the same number.
        self._store.set_label(name, label, number, origin)
        self._registry.tidy(name)

    def delete_label(self, name: str, label: str) -> int:
        """Remove a label; return the number of the version that it pointed to.

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
            ModelNotFound: there is no model of this name.
            StoreError: the disk is not writable.
        """
        self._store.delete(name)
        self._registry.drop(name)

    def delete_version(self, name: str, number: int) -> str:
        """Delete one version of a model, on disk and in memory.

        Returns:
            Another folder with this number, which is now the version; empty if there
            is none.

        Raises:
            ModelNotFound: there is no such version.
            ConflictError: a label points to it, or it was put there by hand.
            StoreError: the disk is not writable.
        """
        left = self._store.delete_version(name, number)
        self._registry.drop(name, number)
        return left

    def _publish(self, write: Callable[[Path], None], asked: str = "") -> Published:
        tried: list[Opened] = []

        def check(folder: Path) -> str:
            tried.append(self._trial(folder))
            name = tried[-1].name
            if asked not in ("", name):
                raise ConflictError(
                    f"the query names the model {asked[:128]!r}, and the bundle itself"
                    f" {name!r}; send the same in both"
                )
            return name

        version = self._store.install(write, check)
        serves: int | None = version.number
        # The version is published, even if this fails; it may be deleted by now.
        with contextlib.suppress(DomainError):
            if self._store.is_unloaded(version.name):
                # Its operator took it out of service, and an upload may come from a
                # program that does not know.
                serves = None
            else:
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


def _no_label(name: str, number: int, why: str) -> BundleError:
    return BundleError(
        f"version {number} of {name!r} cannot be loaded, so no label may point to it:"
        f" {why}"
    )
