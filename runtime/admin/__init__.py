"""The seam between the commands and the models that they work on.

The commands reach a server's models by HTTP, and those of a store folder by the
service's rooms. They need not know which: both give the service's JSON.
"""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from runtime.config import Config

Description = dict[str, Any]

# A model is tried with these settings before a server gets it: the server's own are not
# known here, and it judges the size of an upload itself.
TRIAL_SETTINGS = Config(provider="cpu", max_upload_bytes=1 << 40)

# This variable holds the token that a server asks for.
TOKEN_VARIABLE = "MODELS_TOKEN"


@dataclass(frozen=True)
class Transfer:
    """An archive on its way.

    Attributes:
        chunks: its bytes, which can be read once.
        length: the number of its bytes; None if nobody knows it before the end.
    """

    chunks: Iterable[bytes]
    length: int | None


class Reader:
    """An archive's chunks, with the method ``read`` of a file."""

    def __init__(self, chunks: Iterable[bytes]) -> None:
        self._chunks = iter(chunks)
        self._ready = b""

    def read(self, size: int = 1 << 18, /) -> bytes:
        """Return at most ``size`` bytes, and no bytes at the end."""
        while not self._ready:
            chunk = next(self._chunks, None)
            if chunk is None:
                return b""
            self._ready = chunk
        part, self._ready = self._ready[:size], self._ready[size:]
        return part


class Admin(Protocol):
    """The models of one server, or of one store folder.

    Every method raises a DomainError whose sentence is for the person at the keyboard.

    Attributes:
        place: the server's URL, or the folder; for sentences.
        url: the URL at which a service of these models is asked.
        settings: the settings with which a model is tried before it is published.
        folder: the store's folder on this machine; None for a server and for an object
            store.
    """

    place: str
    url: str
    settings: Config
    folder: Path | None

    def models(self) -> list[Description]:
        """Return the content that ``GET /models`` answers with."""

    def model(self, name: str) -> Description:
        """Return the content that ``GET /models/{name}`` answers with."""

    def version(self, name: str, number: int) -> Description:
        """Return the content that ``GET /models/{name}/{version}`` answers with."""

    def publish(self, archive: Transfer) -> Description:
        """Publish a bundle's tar, gzipped or not; return the answer of an upload."""

    def bundle(self, name: str, number: int) -> AbstractContextManager[Transfer]:
        """Give a version's folder as a tar.gz that is open during the block."""

    def delete(self, name: str) -> Description:
        """Delete a model with all its versions."""

    def delete_version(self, name: str, number: int) -> Description:
        """Delete one version."""

    def set_label(self, name: str, label: str, number: int) -> Description:
        """Point a label to a version that loads."""

    def delete_label(self, name: str, label: str) -> Description:
        """Delete a label; its version stays."""
