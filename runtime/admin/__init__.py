"""The seam between the commands and the models that they work on.

A server's models are reached by HTTP, a store folder's by the service's own rooms; the
commands do not know which. Both describe models in the words of the service's JSON.
"""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any, Protocol

Description = dict[str, Any]

# Has the token that a server asks for.
TOKEN_VARIABLE = "MODELS_TOKEN"


@dataclass(frozen=True)
class Transfer:
    """An archive on its way.

    Attributes:
        chunks: its bytes; read once.
        length: how many they are; None if that is not known before.
    """

    chunks: Iterable[bytes]
    length: int | None


class Reader:
    """An archive's chunks, read as a file is."""

    def __init__(self, chunks: Iterable[bytes]) -> None:
        self._chunks = iter(chunks)
        self._ready = b""

    def read(self, size: int = 1 << 18, /) -> bytes:
        """At most ``size`` bytes; none at the end."""
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
    """

    place: str

    def models(self) -> list[Description]:
        """What ``GET /models`` answers."""

    def model(self, name: str) -> Description:
        """What ``GET /models/{name}`` answers."""

    def version(self, name: str, number: int) -> Description:
        """What ``GET /models/{name}/{version}`` answers."""

    def publish(self, archive: Transfer) -> Description:
        """Publish a bundle's tar, gzipped or not; what ``POST /upload`` answers."""

    def bundle(self, name: str, number: int) -> AbstractContextManager[Transfer]:
        """A version's folder as a tar.gz, open for the length of a block."""

    def delete(self, name: str) -> Description:
        """Delete a model with all its versions."""

    def delete_version(self, name: str, number: int) -> Description:
        """Delete one version."""

    def set_label(self, name: str, label: str, number: int) -> Description:
        """Point a label to a version that loads."""

    def delete_label(self, name: str, label: str) -> Description:
        """Take a label away."""
