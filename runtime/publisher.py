"""An uploaded archive -> the served version of its model."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from bundle.archive import Limits, Readable, unpack
from bundle.errors import BundleError
from bundle.folder import Bundle
from bundle.store import ModelStore
from runtime.backends import BackendOptions
from runtime.errors import BackendError
from runtime.model import Model, model_of
from runtime.registry import ModelRegistry


@dataclass(frozen=True)
class Published:
    """What an upload became."""

    name: str
    version: int
    model: Model


class Publisher:
    """Takes uploads into the store.

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
            BundleError: it is no whole bundle, or no engine here can open it.
            StoreError: the disk is full or not writable.
        """

        def write(folder: Path) -> None:
            unpack(stream, folder, gzipped=gzipped, limits=self._limits)

        version = self._store.install(write, check=self._try)
        # From its place in the store: that is where a later fallback reads.
        model = self._registry.get(version.name)
        return Published(version.name, version.number, model)

    def _try(self, bundle: Bundle) -> None:
        try:
            model_of(bundle, 0, self._options)
        except BackendError as ex:
            raise BundleError(f"the bundle cannot be served here: {ex}") from ex
