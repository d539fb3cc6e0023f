"""The caller of a gRPC call."""

from __future__ import annotations

import functools
from collections.abc import Iterable, Mapping
from urllib.parse import unquote

import grpc


class GrpcCaller:
    """Reads ``runtime.access.caller.Caller`` out of a call's metadata.

    Args:
        context: grpcio's context of the call.
    """

    __slots__ = ("_context", "_metadata")

    def __init__(self, context: grpc.ServicerContext) -> None:
        self._context = context
        self._metadata: Mapping[str, str] | None = None

    @property
    def address(self) -> str:
        """The address that the connection comes from."""
        return address_of(self._context.peer())

    def metadata(self, name: str) -> str | None:
        """Return the metadata of a name in small letters; None if there is none."""
        if self._metadata is None:
            # Values of names that end with -bin are bytes, and no text of a client.
            self._metadata = {
                key: value
                for key, value in self._context.invocation_metadata()
                if isinstance(value, str)
            }
        return self._metadata.get(name)

    def header(self, name: str) -> str:
        """Return the metadata of a name, such as ``AUTHORIZATION``; empty if none."""
        return self.metadata(name.lower().replace("_", "-")) or ""

    @property
    def forwarded_for(self) -> str:
        """The metadata x-forwarded-for."""
        return self.header("X_FORWARDED_FOR")

    @property
    def host(self) -> str:
        """A name of this machine.

        grpcio does not tell the name that the client asked for. HTTP looks at that name
        because of browsers, whose pages may ask any address. No page can speak gRPC: it
        may not set the header ``te``, which each call has.
        """
        return "localhost"

    @property
    def origin(self) -> str | None:
        """The metadata origin; None if there is none."""
        return self.metadata("origin")

    @property
    def fetch_site(self) -> str:
        """The metadata sec-fetch-site."""
        return self.metadata("sec-fetch-site") or "none"

    @property
    def header_names(self) -> Iterable[str]:
        """The names of all metadata, in capitals and with underscores."""
        self.metadata("")
        return (key.upper().replace("-", "_") for key in self._metadata or ())


# A connection has the same text at each of its calls.
@functools.lru_cache(maxsize=1024)
def address_of(peer: str) -> str:
    """Return the address in grpcio's text of a peer; a socket of a file has none.

    The text is ``ipv4:127.0.0.1:4711`` or ``ipv6:%5B::1%5D:4711``.
    """
    family, _, rest = peer.partition(":")
    if family not in ("ipv4", "ipv6"):
        return ""
    return unquote(rest).rpartition(":")[0].strip("[]")
