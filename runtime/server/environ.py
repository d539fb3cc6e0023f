"""Conversion of granian's request into WSGI's environ (PEP 3333)."""

from __future__ import annotations

import sys
from functools import lru_cache
from typing import Any, Protocol

Environ = dict[str, Any]


class Headers(Protocol):
    """A request's headers; a header that comes twice is there twice."""

    def items(self) -> list[tuple[str, str]]:
        """List names, in lower case, and values."""


class Scope(Protocol):
    """The facts that granian knows about a request: RSGI's scope."""

    http_version: str
    client: str
    server: str
    scheme: str
    method: str
    path: str
    query_string: str
    headers: Headers


_SAME: Environ = {
    "SCRIPT_NAME": "",
    "SERVER_SOFTWARE": "granian",
    "wsgi.errors": sys.stderr,
    "wsgi.version": (1, 0),
    "wsgi.multithread": True,
    "wsgi.multiprocess": True,
    "wsgi.run_once": False,
    # The input has an end, even if the client did not tell its length.
    "wsgi.input_terminated": True,
}


def environ_of(scope: Scope) -> Environ:
    """Make a request's environ, without ``wsgi.input``."""
    host, _, port = scope.server.rpartition(":")
    client, _, client_port = scope.client.rpartition(":")
    environ = {
        **_SAME,
        "REQUEST_METHOD": scope.method,
        # Each character of a WSGI text stands for one byte.
        "PATH_INFO": scope.path.encode().decode("latin-1"),
        "QUERY_STRING": scope.query_string,
        "SERVER_PROTOCOL": f"HTTP/{scope.http_version}",
        "SERVER_NAME": host,
        "SERVER_PORT": port,
        "REMOTE_ADDR": client.strip("[]"),
        "REMOTE_PORT": client_port,
        "wsgi.url_scheme": scope.scheme,
    }
    for name, value in scope.headers.items():
        # An environ cannot tell X_Real_IP from X-Real-IP, which only a proxy may send.
        if "_" in name:
            continue
        key = _key(name)
        if key in environ:
            value = f"{environ[key]},{value}"
        environ[key] = value
    return environ


@lru_cache(maxsize=1024)
def _key(header: str) -> str:
    name = header.upper().replace("-", "_")
    return name if name in ("CONTENT_TYPE", "CONTENT_LENGTH") else f"HTTP_{name}"
