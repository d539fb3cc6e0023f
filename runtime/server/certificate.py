"""The certificate with which a worker answers; another one may take its place."""

from __future__ import annotations

import os
import ssl
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO

from runtime.access.pair import Pair


class Certificate:
    """The pair of key and certificate that new connections get.

    Each connection gets one pair whole: OpenSSL asks for it in the handshake.

    Args:
        pair: the first pair.

    Attributes:
        context: the context for the server's sockets.

    Raises:
        ssl.SSLError: the key and the certificate are none, or do not fit.
    """

    def __init__(self, pair: Pair) -> None:
        self.context = context_of(pair)
        self._current = self.context
        # It is called for each handshake, also if the client names no server.
        self.context.sni_callback = self._choose

    def take(self, context: ssl.SSLContext) -> None:
        """Answer new connections with another pair; see ``context_of``."""
        self._current = context

    def _choose(
        self, connection: ssl.SSLObject, name: str | None, context: ssl.SSLContext
    ) -> None:
        connection.context = self._current


def context_of(pair: Pair) -> ssl.SSLContext:
    """Make the context of TLS 1.2 and 1.3 with a pair.

    Raises:
        ssl.SSLError: the key and the certificate are none, or do not fit.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    # Without this function OpenSSL would ask for a key's password at the terminal.
    with _named(pair.key) as key, _named(pair.certificate) as certificate:
        context.load_cert_chain(certificate, key, password=lambda: b"")
    context.set_alpn_protocols(["http/1.1"])
    return context


@contextmanager
def _named(content: bytes) -> Iterator[str]:
    """Give a file's name for some bytes, because Python's ssl reads files alone."""
    with _nameless() as file:
        file.write(content)
        file.flush()
        file.seek(0)
        yield f"/dev/fd/{file.fileno()}"


def _nameless() -> IO[bytes]:
    if hasattr(os, "memfd_create"):  # a key does not reach a disk
        return os.fdopen(os.memfd_create("pem"), "w+b")
    return tempfile.TemporaryFile()
