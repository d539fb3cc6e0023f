"""The service's key and certificate: looked at before a worker needs them."""

from __future__ import annotations

import ssl
from pathlib import Path

from runtime.config import Config, ConfigError


def check_tls(config: Config) -> None:
    """See that both can be read, and belong together.

    Raises:
        ConfigError: they do not; the sentence names the settings.
    """
    for key, name in (
        ("serverKey", config.server_key),
        ("serverCrt", config.server_crt),
    ):
        try:
            if name:
                Path(name).read_bytes()
        except OSError as ex:
            raise ConfigError(
                f"{key!r} is {name}, which cannot be read: {ex.strerror}"
            ) from ex
    if not config.server_key:
        return
    try:
        # A key under a password would be asked for at the terminal.
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(
            config.server_crt, config.server_key, password=lambda: b""
        )
    except ssl.SSLError as ex:
        raise ConfigError(
            f"'serverKey' {config.server_key} and 'serverCrt' {config.server_crt} are"
            " no pair of a key without a password and its certificate, in PEM, that"
            f" OpenSSL takes: {(ex.reason or 'unreadable').replace('_', ' ').lower()}"
        ) from ex
