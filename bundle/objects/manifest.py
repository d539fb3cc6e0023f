"""The manifest of a version in an object store: its files, by name and content."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import PurePosixPath
from typing import Any

_SHA256 = re.compile(r"[0-9a-f]{64}")
_ID = re.compile(r"[0-9a-f]{32}")


# A process may hold 100,000 of each, so they have slots.
@dataclass(frozen=True, slots=True)
class Blob:
    """The content of a file.

    Attributes:
        sha256: its sha256, in hexadecimal, which is its name in the store.
        size: its bytes.
    """

    sha256: str
    size: int


@dataclass(frozen=True, slots=True)
class Manifest:
    """A published version.

    Attributes:
        id: the publisher's random number. It tells this version from a later one with
            the same number, and a publisher its own manifest, when the answer was lost.
        created: the time of the publication, in ISO 8601.
        params: the content of params.json.
        files: the files, by their names relative to the version's folder.
    """

    id: str
    created: str
    params: Mapping[str, Any]
    files: Mapping[str, Blob]

    @property
    def size(self) -> int:
        """The bytes of all files."""
        return sum(blob.size for blob in self.files.values())

    def to_json(self) -> bytes:
        """Return the manifest as an object of the store."""
        return json.dumps(asdict(self), indent=1).encode()

    @staticmethod
    def from_json(text: bytes | str) -> Manifest:
        """Read a manifest.

        Raises:
            ValueError: it is none, or names a file outside the version's folder.
        """
        try:
            content = json.loads(text)
            files = {
                _name(name): Blob(_match(_SHA256, blob["sha256"]), int(blob["size"]))
                for name, blob in content["files"].items()
            }
            return Manifest(
                _match(_ID, content["id"]),
                str(content["created"]),
                dict(content["params"]),
                files,
            )
        # json reads Infinity, which is no whole number.
        except (
            KeyError,
            TypeError,
            AttributeError,
            OverflowError,
            RecursionError,
        ) as ex:
            raise ValueError("it is no manifest of a version") from ex


def _match(pattern: re.Pattern[str], text: object) -> str:
    if not isinstance(text, str) or not pattern.fullmatch(text):
        raise ValueError("it is no manifest of a version")
    return text


def _name(name: str) -> str:
    # A writer of the bucket must not write into other folders of a service.
    path = PurePosixPath(name)
    if path.is_absolute() or "\0" in name or path.as_posix() != name or not path.parts:
        raise ValueError("a file's name in the manifest is no relative path")
    if any(part.startswith(".") for part in path.parts):
        raise ValueError("a file's name in the manifest begins with a dot")
    name.encode()  # half a character is no name of a file; its error is a ValueError
    return sys.intern(name)  # most versions have files of the same names
