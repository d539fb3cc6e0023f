"""Tokens: their digests, from config.json and from files."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from runtime.config import DIGEST, Config, ConfigError


def digest_of(token: str) -> str:
    """Return a token's SHA-256 in hexadecimal digits; the service keeps only this."""
    return hashlib.sha256(token.encode()).hexdigest()


def read_digests(listed: Sequence[str], key: str, file: str) -> tuple[str, ...]:
    """Read the digests of a file, and add them to the digests that a setting lists.

    Args:
        listed: digests that are already checked.
        key: the setting that names the file, for the errors' sentences.
        file: a file with one digest on each line, and comments after ``#``; an empty
            name stands for no file.

    Raises:
        ConfigError: the file cannot be read, or holds something else, or holds no
            digest. A file without a digest would open what somebody meant to close.
    """
    digests = list(listed)
    if file:
        where = f"'{key}': {file}"
        try:
            lines = Path(file).read_text(encoding="utf-8").splitlines()
        except OSError as ex:
            raise ConfigError(f"{where} cannot be read: {ex.strerror}") from ex
        except ValueError as ex:
            raise ConfigError(f"{where} is not a text") from ex
        for number, line in enumerate(lines, start=1):
            word = line.partition("#")[0].strip()
            if word and not DIGEST.fullmatch(word.lower()):
                # The error does not show the word, which may be the token itself.
                raise ConfigError(
                    f"{where}: line {number} is no SHA-256 in 64 hexadecimal digits;"
                    " `runtime token` makes one"
                )
            if word:
                digests.append(word.lower())
        if len(digests) == len(listed):
            raise ConfigError(f"{where} has no digest; `runtime token` makes one")
    return tuple(digests)


def with_digests(config: Config) -> Config:
    """Return settings that hold the digests of the files of tokens, and name no file.

    Raises:
        ConfigError: a file of tokens cannot be used; see ``read_digests``.
    """
    return replace(
        config,
        write_tokens=read_digests(
            config.write_tokens, "writeTokensFile", config.write_tokens_file
        ),
        write_tokens_file="",
        predict_tokens=read_digests(
            config.predict_tokens, "predictTokensFile", config.predict_tokens_file
        ),
        predict_tokens_file="",
    )
