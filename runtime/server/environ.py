"""WSGI's environ (PEP 3333) of a request."""

from __future__ import annotations

import functools
import sys
import urllib.parse
from collections.abc import Iterable
from typing import Any

from runtime.http.environ_keys import LOOP
from runtime.server.loop import LIBRARY

Environ = dict[str, Any]

_SAME: Environ = {
    "SCRIPT_NAME": "",
    "SERVER_SOFTWARE": "tfaas-onnx",
    "wsgi.errors": sys.stderr,
    "wsgi.version": (1, 0),
    "wsgi.multithread": True,
    "wsgi.multiprocess": True,
    "wsgi.run_once": False,
    # The input has an end, even if the client did not tell its length.
    "wsgi.input_terminated": True,
    LOOP: LIBRARY,
}


def environ_of_connection(server: Any, client: Any, *, is_tls: bool) -> Environ:
    """Make the part of the environ that all requests of a connection share.

    Args:
        server: the socket's own address, as ``socket.getsockname`` gives it.
        client: the client's address, as ``socket.getpeername`` gives it.
        is_tls: whether the connection is encrypted.
    """
    # A socket of another family, or one whose client has left, has no such pair.
    host, port = server[:2] if isinstance(server, tuple) else ("", "")
    address, its_port = client[:2] if isinstance(client, tuple) else ("", "")
    return {
        **_SAME,
        "SERVER_NAME": host,
        "SERVER_PORT": str(port),
        # An IPv6 socket gives an IPv4 client's address in this form.
        "REMOTE_ADDR": address.removeprefix("::ffff:") if "." in address else address,
        "REMOTE_PORT": str(its_port),
        "wsgi.url_scheme": "https" if is_tls else "http",
    }


def environ_of(
    connection: Environ,
    method: str,
    target: bytes,
    version: str,
    headers: Iterable[tuple[bytes, bytes]],
) -> Environ:
    """Make a request's environ, without ``wsgi.input``.

    Args:
        connection: the part that all requests of the connection share.
        method: the method, such as ``GET``.
        target: the request's target, as the client sent it; see RFC 9112, section 3.2.
        version: the version of HTTP, such as ``1.1``.
        headers: the names and values; a header that came twice is there twice.
    """
    path, query = path_and_query(target)
    environ = connection.copy()
    environ["REQUEST_METHOD"] = method
    environ["PATH_INFO"] = path
    environ["QUERY_STRING"] = query
    environ["SERVER_PROTOCOL"] = f"HTTP/{version}"
    for name, value in headers:
        key = _KEYS.get(name) or _key(name)
        if not key:
            continue
        # Each character of a WSGI text stands for one byte.
        text = value.decode("latin-1")
        environ[key] = f"{environ[key]},{text}" if key in environ else text
    return environ


# A short path is kept in memory. A query is not: it may hold secrets.
_LONGEST_PATH = 64


def path_and_query(target: bytes) -> tuple[str, str]:
    """Split a request's target; each character of the path stands for one byte."""
    if len(target) > _LONGEST_PATH or b"?" in target:
        return _split(target)
    return _split_again(target)


def _split(target: bytes) -> tuple[str, str]:
    if not target.startswith(b"/"):
        # A client of a proxy sends the whole URL; OPTIONS may ask for "*".
        _, found, rest = target.partition(b"://")
        if found:
            target = b"/" + rest.partition(b"/")[2]
    path, _, query = target.partition(b"#")[0].partition(b"?")
    if b"%" in path:
        path = urllib.parse.unquote_to_bytes(path)
    return path.decode("latin-1"), query.decode("latin-1")


_split_again = functools.lru_cache(maxsize=256)(_split)

# The keys of the headers that came; clients may invent any number of long names.
_KEYS: dict[bytes, str] = {}
_MOST_KEYS = 1024
_LONGEST_KEY = 64


def _key(header: bytes) -> str:
    """Return the environ's key of a header; empty for a header that is left out."""
    # An environ cannot tell X_Real_IP from X-Real-IP, which only a proxy may send.
    if b"_" in header:
        return ""
    name = header.decode("latin-1").upper().replace("-", "_")
    key = name if name in ("CONTENT_TYPE", "CONTENT_LENGTH") else f"HTTP_{name}"
    if len(_KEYS) < _MOST_KEYS and len(header) <= _LONGEST_KEY:
        _KEYS[header] = key
    return key
