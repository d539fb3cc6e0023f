"""What GET /models says of each model, on disk and in memory."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any, TypeVar

from bundle.errors import BundleError, ModelNotFound, StoreError
from bundle.folder import open_bundle
from bundle.params import read_params
from bundle.store import ModelStore, Version
from runtime.registry import ModelRegistry

T = TypeVar("T")


class Catalogue:
    """Describes the models of a store, and those loaded from it."""

    def __init__(self, store: ModelStore, registry: ModelRegistry) -> None:
        self._store = store
        self._registry = registry

    def params(self, name: str) -> Mapping[str, Any]:
        """params.json of the served version, as it is stored.

        Raises:
            ModelNotFound: there is no such model.
            BundleError: its params.json is broken.
        """
        return self._read(name, lambda version: read_params(version.path)).stored

    def models(self) -> list[dict[str, Any]]:
        """TFaaS's list: each model's params.json and timestamp, and how it is served.

        A broken bundle is listed with its ``error``, and hides no other.
        """
        descriptions = []
        for name in self._store.names():
            try:
                descriptions.append(self._read(name, self._describe))
            except ModelNotFound:
                continue  # deleted since the names were read
            except (BundleError, StoreError) as ex:
                descriptions.append({"name": name, "error": str(ex)})
        return descriptions

    def _read(self, name: str, read: Callable[[Version], T]) -> T:
        while True:
            version = self._store.current(name)
            try:
                return read(version)
            except BundleError:
                # Deleted or replaced while it was read: look again.
                if self._store.current(name) == version:
                    raise

    def _describe(self, version: Version) -> dict[str, Any]:
        published = datetime.fromtimestamp(version.state[1] / 1e9, UTC)
        bundle = open_bundle(version.path)
        versions = self._store.versions(version.name)
        # The version that serves; of one that cannot, the one that stands in for it.
        loaded = (
            self._registry.peek(version.name, number)
            for number in (version.number, *reversed(versions))
        )
        model = next(filter(None, loaded), None)
        return {
            "timestamp": published.isoformat(timespec="seconds"),
            **bundle.params.stored,
            # The store's folder is the name that requests use.
            "name": version.name,
            "version": version.number,
            "versions": versions,
            "classes": bundle.labels,
            "loaded": model.version if model else None,
            "backend": model.backend.name if model else None,
            "device": model.backend.device if model else None,
            "proved": model.is_proved if model else None,
            "sample": asdict(model.tried) if model and model.tried else None,
            "fallback_reason": model.fallback_reason if model else None,
            "error": self._registry.failure(version.name, version.number),
        }
