"""The caller of a WSGI request."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from runtime.access.gate import Gate

_HEADER = "HTTP_"

# The address of a request's client, read out of its environ.
AddressOf = Callable[[Mapping[str, Any]], str]


class WsgiCaller:
    """Reads ``runtime.access.caller.Caller`` out of a WSGI environ.

    Args:
        environ: the environ of the request.
    """

    __slots__ = ("_environ",)

    def __init__(self, environ: Mapping[str, Any]) -> None:
        self._environ = environ

    @property
    def address(self) -> str:
        """The address that the connection comes from."""
        return _address_of_connection(self._environ)

    def header(self, name: str) -> str:
        """Return a header, such as ``AUTHORIZATION``; empty if there is none."""
        return str(self._environ.get(_HEADER + name) or "")

    @property
    def forwarded_for(self) -> str:
        """The header X-Forwarded-For."""
        return str(self._environ.get("HTTP_X_FORWARDED_FOR") or "")

    @property
    def host(self) -> str:
        """The header Host."""
        return str(self._environ.get("HTTP_HOST") or "")

    @property
    def origin(self) -> str | None:
        """The header Origin; None if there is none."""
        origin = self._environ.get("HTTP_ORIGIN")
        return None if origin is None else str(origin)

    @property
    def fetch_site(self) -> str:
        """The header Sec-Fetch-Site."""
        return str(self._environ.get("HTTP_SEC_FETCH_SITE", "none"))

    @property
    def header_names(self) -> Iterable[str]:
        """The names of all headers: the environ's keys without ``HTTP_``."""
        return (
            name.removeprefix(_HEADER)
            for name in self._environ
            if name.startswith(_HEADER)
        )


def _address_of_connection(environ: Mapping[str, Any]) -> str:
    return str(environ.get("REMOTE_ADDR") or "")


def address_reader(gate: Gate) -> AddressOf:
    """Make a function that reads the client's address out of an environ."""
    if not gate.trusts_proxies:
        return _address_of_connection

    def read(environ: Mapping[str, Any]) -> str:
        return gate.address_of(WsgiCaller(environ))

    return read
