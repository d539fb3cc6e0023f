"""``runtime healthcheck``: one question to a service, for Docker and other watchers."""

from __future__ import annotations

import os
import socket
import time
from pathlib import Path
from typing import NamedTuple
from urllib.parse import urlsplit

import click

from bundle.errors import DomainError
from bundle.terminal import Failed, printable
from runtime.config import Config, load_settings

_SECONDS = 4.0
# The replies have less than a hundred bytes; of another program's, no more is read.
_MOST_BYTES = 1 << 14
_EVERY_ADDRESS = {"0.0.0.0": "127.0.0.1", "::": "::1", "": "127.0.0.1"}


class Target(NamedTuple):
    """The service that is asked.

    Attributes:
        host: its name or address.
        port: its port.
        base: the prefix of its routes, without a last slash.
        is_tls: whether it speaks TLS.
        is_own: whether it is this machine's own, which needs no proof of its name.
    """

    host: str
    port: int
    base: str
    is_tls: bool
    is_own: bool


@click.command()
@click.option(
    "--url",
    metavar="URL",
    help="Ask the service at this URL.  [default: the one that config.json describes]",
)
@click.option(
    "--config",
    "-config",
    "file",
    metavar="FILE",
    help="Read port, host, base and TLS from this file.  [default: config.json]",
)
@click.option(
    "--ready",
    is_flag=True,
    help="Ask whether it should get requests, and not only whether it lives.",
)
@click.option(
    "--cacert",
    metavar="FILE",
    type=click.Path(path_type=Path),
    help="Trust the authority in this PEM file for an https:// URL.",
)
@click.option(
    "--timeout",
    "seconds",
    type=click.FloatRange(0.1, 3600),
    default=_SECONDS,
    show_default=True,
    help="Give up after this many seconds.",
)
def healthcheck(
    url: str | None, file: str | None, ready: bool, cacert: Path | None, seconds: float
) -> None:
    """Tell in one line whether a service is healthy, and exit with 0 or 1.

    It needs no token. Without --url it asks the service of this machine that
    config.json and the variables describe; flags of `runtime serve` are not known to
    it. Such a service need not prove by its certificate who it is.
    """
    if url is not None and file is not None:
        raise Failed("--config says which service is meant, and --url says it, too")
    try:
        target = (
            _target_of_url(url)
            if url is not None
            else target_of(load_settings(os.environ, None, file).config)
        )
    except DomainError as ex:
        # Docker reserves the exit code 2.
        raise Failed(str(ex)) from ex
    path = f"{target.base}/{'readyz' if ready else 'livez'}"
    shown = f"{_shown(target)}{path}"
    try:
        status, body = ask(target, path, cacert, seconds)
    except (OSError, ValueError) as ex:
        raise Failed(f"{shown} does not answer: {_why(ex, seconds)}") from ex
    if status != 200:
        raise Failed(f"{shown} answers {status}: {printable(body)[:200]}".rstrip(": "))
    click.echo(f"{shown} is {'ready' if ready else 'alive'}")


def target_of(config: Config) -> Target:
    """Return the service of this machine that the settings describe.

    Raises:
        Failed: the port is 0, so only the service knows its port.
    """
    if not config.port:
        raise Failed("'port' is 0, so nobody knows it here; name the service by --url")
    host = _EVERY_ADDRESS.get(config.host.strip(), config.host.strip())
    return Target(host, config.port, config.base, bool(config.server_key), is_own=True)


def _target_of_url(url: str) -> Target:
    try:
        parts = urlsplit(url)
        port, host = parts.port, parts.hostname
    except ValueError as ex:
        raise Failed(f"--url {printable(url)[:200]} is no URL: {ex}") from ex
    if parts.scheme not in ("http", "https") or not host:
        raise Failed(
            f"--url {printable(url)[:200]} is no URL of a service; write"
            " http://HOST:PORT or https://HOST:PORT"
        )
    is_tls = parts.scheme == "https"
    base = parts.path.rstrip("/")
    if not (base.isascii() and base.isprintable() and " " not in base):
        raise Failed(f"--url {printable(url)[:200]} has a path that is none")
    return Target(host, port or (443 if is_tls else 80), base, is_tls, is_own=False)


def ask(
    target: Target, path: str, cacert: Path | None, seconds: float
) -> tuple[int, str]:
    """Ask a path by GET; return the status of the reply and its body.

    Python's own HTTP client is not used, because its import takes longer than this
    whole command may take, and the two replies are short and simple.

    Raises:
        OSError: the service cannot be reached, or does not answer in time.
        ValueError: the answer is no HTTP.
    """
    request = (
        f"GET {path} HTTP/1.1\r\nHost: {_host(target)}\r\n"
        "User-Agent: runtime-healthcheck\r\nConnection: close\r\n\r\n"
    )
    end = time.monotonic() + seconds
    with socket.create_connection((target.host, target.port), seconds) as plain:
        connection = _with_tls(plain, target, cacert) if target.is_tls else plain
        with connection:
            connection.sendall(request.encode("ascii"))
            reply = b""
            while len(reply) < _MOST_BYTES and (piece := connection.recv(4096)):
                reply += piece
                # A program may send one byte now and then, and never end.
                connection.settimeout(max(end - time.monotonic(), 0.001))
    head, _, body = reply.partition(b"\r\n\r\n")
    protocol, _, rest = head.partition(b" ")
    if not protocol.startswith(b"HTTP/1.") or not rest[:3].isdigit():
        raise ValueError("the answer is no HTTP")
    return int(rest[:3]), body.decode("utf-8", "replace")


def _with_tls(
    plain: socket.socket, target: Target, cacert: Path | None
) -> socket.socket:
    import ssl

    if target.is_own and cacert is None:
        # It is asked on this machine, and its certificate names the host that others
        # ask. All authorities of the system would take a while to read.
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    else:
        try:
            context = ssl.create_default_context(cafile=cacert)
        except OSError as ex:
            raise Failed(f"--cacert {cacert} cannot be used: {_why(ex, 0)}") from ex
    return context.wrap_socket(plain, server_hostname=target.host)


def _host(target: Target) -> str:
    host = f"[{target.host}]" if ":" in target.host else target.host
    return f"{host}:{target.port}"


def _shown(target: Target) -> str:
    return f"{'https' if target.is_tls else 'http'}://{_host(target)}"


def _why(ex: Exception, seconds: float) -> str:
    if isinstance(ex, TimeoutError):
        return f"no whole answer came within {seconds:g} s"
    # An error of a certificate has its reason in words of OpenSSL.
    told = getattr(ex, "verify_message", "") or getattr(ex, "strerror", "")
    return printable(told or str(ex))
