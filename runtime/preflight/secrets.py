"""The check of keys and tokens: they can be read, and by nobody else."""

from __future__ import annotations

import ssl
import stat
from collections.abc import Iterator
from pathlib import Path

from runtime.access.gate import gate_of
from runtime.config import Config, ConfigError


def check_tls(config: Config) -> tuple[str, ...]:
    """Check that key and certificate can be read, and belong together.

    Returns:
        No sentence, because what is wrong with them stops the start.

    Raises:
        ConfigError: they cannot be used; the sentence names the settings.
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
        return ()
    try:
        # Without this function OpenSSL would ask for a key's password at the terminal.
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(
            config.server_crt, config.server_key, password=lambda: b""
        )
    except ssl.SSLError as ex:
        raise ConfigError(
            f"'serverKey' {config.server_key} and 'serverCrt' {config.server_crt} must"
            " be a key without a password and its certificate, in PEM; OpenSSL says:"
            f" {(ex.reason or 'unreadable').replace('_', ' ').lower()}"
        ) from ex
    return ()


def check_tokens(config: Config) -> tuple[str, ...]:
    """Check that the files of tokens can be read.

    Raises:
        ConfigError: one cannot.
    """
    gate_of(config)
    return ()


def check_secrets(config: Config) -> Iterator[str]:
    """Tell which keys and files of tokens others on this machine may open."""
    for key, name, harm in (
        ("serverKey", config.server_key, "the key may be read by anybody"),
        ("writeTokensFile", config.write_tokens_file, "short tokens may be guessed"),
        (
            "predictTokensFile",
            config.predict_tokens_file,
            "short tokens may be guessed",
        ),
    ):
        if not name:
            continue
        try:
            mode = Path(name).stat().st_mode
        except OSError:  # another check says so
            continue
        if mode & stat.S_IWOTH:
            yield (
                f"{key!r} is {name}, which anybody on this machine may change:"
                f" chmod o-rwx {name}"
            )
        elif mode & stat.S_IROTH:
            yield (
                f"{key!r} is {name}, which anybody on this machine may read: {harm};"
                f" chmod o-rwx {name}"
            )
