"""Changes to the store: an uploaded archive published, a model deleted."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from pathlib import Path

from bundle.archive import Limits, Readable, unpack
from bundle.errors import BundleError, DomainError
from bundle.folder import Bundle
from bundle.store import ModelStore
from runtime.backends import BackendOptions
from runtime.errors import BackendError
from runtime.model import Model, model_of
from runtime.registry import ModelRegistry
from runtime.spec import ModelSpec


@dataclass(frozen=True)
class Published:
    """What an upload became.

    Attributes:
        backend: ``engine/device`` that opened it.
        fallback_reason: why that is not ONNX Runtime; else empty.
    """

    name: str
    version: int
    backend: str
    fallback_reason: str


class Publisher:
    """Takes uploads into the store, and models out of it.

    Args:
        store: where they go.
        registry: loads what was published, so that the first request finds it warm.
        options: how a bundle is opened on trial.
        max_bytes: of an unpacked archive.
    """

    def __init__(
        self,
        store: ModelStore,
        registry: ModelRegistry,
        options: BackendOptions,
        max_bytes: int,
    ) -> None:
        self._store = store
        self._registry = registry
        self._options = options
        self._limits = Limits(total_bytes=max_bytes)

    def publish(self, stream: Readable, *, gzipped: bool) -> Published:
        """Unpack, open on trial, publish and load one bundle.

        Raises:
            ArchiveError: it is no archive that can be taken.
            TooLarge: it unpacks to more than the limit.
            BundleError: it is no whole bundle, or no engine here can open it.
            ProviderError: CUDA was demanded and does not work.
            StoreError: the disk is full or not writable.
        """
        trial: list[Model] = []

        def write(folder: Path) -> None:
            unpack(stream, folder, gzipped=gzipped, limits=self._limits)

        def check(bundle: Bundle) -> None:
            trial.append(self._try(bundle))

        version = self._store.install(write, check)
        # Published it is, whatever comes of this: it may be deleted by now.
        with contextlib.suppress(DomainError):
            self._registry.get(ModelSpec(version.name))
        backend = trial[0].backend
        return Published(
            version.name,
            version.number,
            f"{backend.name}/{backend.device}",
            trial[0].fallback_reason,
        )

    def delete(self, name: str) -> None:
        """Delete a model with all its versions, on disk and in memory.

        Raises:
            ModelNotFound: there is none of this name.
            StoreError: the disk is not writable.
        """
        self._store.delete(name)
        self._registry.drop(name)

    def _try(self, bundle: Bundle) -> Model:
        try:
            return model_of(bundle, None, self._options)
        except BackendError as ex:
            raise BundleError(f"the bundle cannot be served: {ex}") from ex
