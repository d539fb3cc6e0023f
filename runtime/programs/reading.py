"""Reading of model files as messages, and the error that refuses one."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from google.protobuf.message import DecodeError

from bundle.errors import BundleError


class Damaged(BundleError):
    """A file is not of the kind that its name says, or cannot be read."""


def read(path: Path, message: Any) -> Any:
    """Read a file into a message, and return the message.

    Raises:
        Damaged: the file cannot be read.
    """
    try:
        message.ParseFromString(path.read_bytes())
    except DecodeError as ex:
        raise Damaged(f"{path.name} is damaged: it cannot be read") from ex
    except OSError as ex:
        raise Damaged(f"{path.name} cannot be read: {ex.strerror}") from ex
    return message


def refusal(file: str, why: str) -> BundleError:
    """Return the error for a file, or a part of it, that strangers may not send."""
    return BundleError(f"{file}: {why}; docs/versions.md says what is taken")
