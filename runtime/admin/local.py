"""The models of a store folder, without a server: the service's rooms work on it."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import asdict
from pathlib import Path

from runtime.admin import Description, Reader, Transfer
from runtime.config import Config
from runtime.services import create_services


class LocalAdmin:
    """The models of ``config.model_dir``; see ``Admin``.

    Raises:
        ConfigError: the store is a file.
        ProviderError: config.json asks for CUDA, and this onnxruntime has none.
    """

    def __init__(self, config: Config) -> None:
        self.place = f"{config.model_dir}/"
        scheme = "https" if config.server_key else "http"
        self.url = f"{scheme}://localhost:{config.port}{config.base}"
        self.settings = config
        place = config.model_dir
        self.folder = place if isinstance(place, Path) else None
        # The service logs a traceback for a model that cannot be loaded. The command
        # says the same in one sentence, so the log goes nowhere.
        for name in ("bundle", "runtime"):
            logging.getLogger(name).addHandler(logging.NullHandler())
        services = create_services(config)
        services.store.refresh()
        self._catalogue = services.catalogue
        self._publisher = services.publisher

    def models(self) -> list[Description]:
        """See ``Admin``."""
        return self._catalogue.models()

    def model(self, name: str) -> Description:
        """See ``Admin``."""
        return {**self._catalogue.model(name)}

    def version(self, name: str, number: int) -> Description:
        """See ``Admin``."""
        return {**self._catalogue.version(name, number)}

    def publish(self, archive: Transfer) -> Description:
        """See ``Admin``."""
        published = self._publisher.publish(Reader(archive.chunks), gzipped=False)
        return asdict(published)

    @contextmanager
    def bundle(self, name: str, number: int) -> Iterator[Transfer]:
        """See ``Admin``."""
        with closing(self._catalogue.bundle(name, number)) as packed:
            yield Transfer(packed, packed.length)

    def delete(self, name: str) -> Description:
        """See ``Admin``."""
        self._publisher.delete(name)
        return {"deleted": name}

    def delete_version(self, name: str, number: int) -> Description:
        """See ``Admin``."""
        left = self._publisher.delete_version(name, number)
        deleted = {"deleted": name, "version": number}
        return {**deleted, "left": left} if left else deleted

    def set_label(self, name: str, label: str, number: int) -> Description:
        """See ``Admin``."""
        self._publisher.set_label(name, label, number)
        return {"name": name, "label": label, "version": number}

    def delete_label(self, name: str, label: str) -> Description:
        """See ``Admin``."""
        number = self._publisher.delete_label(name, label)
        return {"name": name, "label": label, "version": number}
