"""The certificate with which a worker answers; another one may take its place."""

from __future__ import annotations

import ssl


class Certificate:
    """The pair of key and certificate that new connections get.

    Each connection gets one pair whole: OpenSSL asks for it in the handshake.

    Args:
        key: the file of the key.
        certificate: the file of the certificate.

    Attributes:
        context: the context for the server's sockets.

    Raises:
        OSError: a file cannot be read, or does not fit the other.
    """

    def __init__(self, key: str, certificate: str) -> None:
        self.context = context_of(key, certificate)
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


def context_of(key: str, certificate: str) -> ssl.SSLContext:
    """Make the context of TLS 1.2 and 1.3 with a pair.

    Raises:
        OSError: a file cannot be read, or does not fit the other.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    # Without this function OpenSSL would ask for a key's password at the terminal.
    context.load_cert_chain(certificate, key, password=lambda: b"")
    context.set_alpn_protocols(["http/1.1"])
    return context
