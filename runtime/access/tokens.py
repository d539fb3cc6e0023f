"""Tokens: their digests, from config.json and from files."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path

from runtime.config import DIGEST, ConfigError


def digest_of(token: str) -> str:
    """What is kept of a token: its SHA-256, in hexadecimal digits."""
    return hashlib.sha256(token.encode()).hexdigest()


def read_digests(listed: Sequence[str], key: str, file: str) -> tuple[str, ...]:
    """The digests that a setting lists, and those of the file that another names.

    Args:
        listed: digests, checked already.
        key: the other setting, for a sentence.
        file: has one a line, and comments after ``#``; empty is none.

    Raises:
        ConfigError: the file cannot be read, holds something else, or no digest: it
            would open what somebody meant to close.
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
                # Not shown: it may be the token itself.
                raise ConfigError(
                    f"{where}: line {number} is no SHA-256 in 64 hexadecimal digits;"
                    " `runtime token` makes one"
                )
            if word:
                digests.append(word.lower())
        if len(digests) == len(listed):
            raise ConfigError(f"{where} has no digest; `runtime token` makes one")
    return tuple(digests)
