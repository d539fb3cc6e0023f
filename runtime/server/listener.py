"""The sockets on which the workers listen; all have one port."""

from __future__ import annotations

import contextlib
import os
import socket
from collections.abc import Iterator
from typing import Any

from bundle.terminal import Failed, WrongInput
from runtime.config import Config

# So many connections may wait for each worker.
BACKLOG = 1024
_WRITE_MILLISECONDS = 60_000


@contextlib.contextmanager
def listening(config: Config, workers: int) -> Iterator[list[socket.socket]]:
    """Listen on one address with a socket for each worker; none of them blocks.

    The kernel shares the connections out among them. From one socket for all, the
    worker that wakes first would take every connection: when 8 clients came at once and
    kept their connections, one worker had all 8, and the other core stood idle.

    Raises:
        WrongInput: there is no such host.
        Failed: the port is taken, or this user may not take it.
    """
    family, address = _address_of(config.host, config.port)
    with contextlib.ExitStack() as opened:
        try:
            # Sockets that share a port would let another service share it, and nobody
            # would notice. This socket shares nothing: it fails if the port is taken.
            _listen(family, address, is_shared=False).close()
            host, port = address
            listeners = []
            for _ in range(workers):
                listener = _listen(family, (host, port), is_shared=workers > 1)
                listeners.append(opened.enter_context(listener))
                port = listener.getsockname()[1]  # for port 0, the free port
        except OSError as ex:
            raise _taken(config.host, config.port, ex) from ex
        yield listeners


@contextlib.contextmanager
def reserved(config: Config) -> Iterator[str]:
    """Keep the port of gRPC for the workers, whose own sockets share it.

    Yields:
        The address at which each worker listens, as grpcio reads it; empty if the door
        is off.

    Raises:
        WrongInput: there is no such host.
        Failed: the port is taken, or this user may not take it.
    """
    if not config.grpc_port:
        yield ""
        return
    family, address = _address_of(config.host, config.grpc_port)
    try:
        # See above: this one fails if the port is taken.
        _listen(family, address, is_shared=False).close()
        holder = socket.socket(family, socket.SOCK_STREAM)
        holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        # It never listens, so the kernel gives it no connection.
        holder.bind(address)
    except OSError as ex:
        raise _taken(config.host, config.grpc_port, ex) from ex
    with holder:
        host, port = address
        yield f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def _address_of(host: str, port: int) -> tuple[socket.AddressFamily, tuple[str, int]]:
    try:
        found = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )
    except (OSError, UnicodeError) as ex:
        raise WrongInput(f"there is no address {host!r} to listen on") from ex
    # localhost has two addresses, and people mean 127.0.0.1.
    family, _, _, _, address = min(found, key=lambda one: one[0] != socket.AF_INET)
    return family, (str(address[0]), int(address[1]))


def _taken(host: str, port: int, ex: OSError) -> Failed:
    why = os.strerror(ex.errno) if ex.errno else str(ex)
    return Failed(f"cannot listen on {host} port {port}: {why}")


def _listen(
    family: socket.AddressFamily, address: tuple[Any, ...], *, is_shared: bool
) -> socket.socket:
    listener = socket.create_server(
        address,
        family=family,
        backlog=BACKLOG,
        reuse_port=is_shared,
        dualstack_ipv6=address[0] == "::" and socket.has_dualstack_ipv6(),
    )
    # Connections inherit this from their socket. The kernel ends the connection of a
    # client that takes no bytes of its reply for so long. The front waits for ever.
    if hasattr(socket, "TCP_USER_TIMEOUT"):
        listener.setsockopt(
            socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, _WRITE_MILLISECONDS
        )
    listener.setblocking(False)
    return listener


def url_of(config: Config, listener: socket.socket) -> str:
    """Return the URL at which the service answers."""
    host = f"[{config.host}]" if ":" in config.host else config.host
    port = listener.getsockname()[1]
    scheme = "https" if config.server_key else "http"
    return f"{scheme}://{host}:{port}{config.base}/"
