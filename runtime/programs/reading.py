"""Files of models as messages, and the sentence with which one is refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from google.protobuf.message import DecodeError

from bundle.errors import BundleError


class Damaged(BundleError):
    """A file is none of the kind that it is named as, or cannot be read."""


def read(path: Path, message: Any) -> Any:
    """Read a file into a message, which is returned.

    Raises:
        Damaged: it cannot be read.
    """
    try:
        message.ParseFromString(path.read_bytes())
    except DecodeError as ex:
        raise Damaged(f"{path.name} is damaged: it cannot be read") from ex
    except OSError as ex:
        raise Damaged(f"{path.name} cannot be read: {ex.strerror}") from ex
    return message


def refusal(file: str, why: str) -> BundleError:
    """The error for a file, or a part of it, that is not taken from strangers."""
    return BundleError(f"{file}: {why}; docs/versions.md says what is taken")
