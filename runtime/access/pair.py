"""The pair of key and certificate, as the settings name it."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from runtime.config import Config, ConfigError


class Pair(NamedTuple):
    """A key and its certificate, as they stood in their files.

    The parent reads them once for all workers. A worker that takes the place of another
    gets the pair that holds, also if the files have changed since.

    Attributes:
        key: the key, in PEM.
        certificate: the certificate and those above it, in PEM.
    """

    key: bytes
    certificate: bytes


def read_pair(config: Config) -> Pair | None:
    """Read the pair that the settings name; None if they name none.

    Raises:
        ConfigError: a file cannot be read.
    """
    if not config.server_key:
        return None
    try:
        return Pair(
            Path(config.server_key).read_bytes(), Path(config.server_crt).read_bytes()
        )
    except OSError as ex:
        raise ConfigError(
            f"'serverKey' {config.server_key} and 'serverCrt' {config.server_crt}"
            f" cannot be read: {ex.strerror}"
        ) from ex
