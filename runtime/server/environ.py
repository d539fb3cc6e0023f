"""A request as granian gives it -> as WSGI has it (PEP 3333)."""

from __future__ import annotations

import sys
from functools import lru_cache
from typing import Any, Protocol

Environ = dict[str, Any]


class Headers(Protocol):
    """A request's, in lower case; one that comes twice is there twice."""

    def items(self) -> list[tuple[str, str]]:
        """Names and values."""


class Scope(Protocol):
    """What granian knows of a request: RSGI's scope."""

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
    # Its input has an end, whether the client said its length or not.
    "wsgi.input_terminated": True,
}


def environ_of(scope: Scope) -> Environ:
    """The environ, but for ``wsgi.input``."""
    host, _, port = scope.server.rpartition(":")
    client, _, client_port = scope.client.rpartition(":")
    environ = {
        **_SAME,
        "REQUEST_METHOD": scope.method,
        # WSGI's texts are bytes in disguise.
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
        # In an environ it would be the header with dashes, which only a proxy may send.
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
