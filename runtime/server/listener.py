"""The one socket that the workers share."""

from __future__ import annotations

import os
import socket

from bundle.terminal import Failed, WrongInput
from runtime.config import Config

# Connections that wait for a worker.
BACKLOG = 1024


def listen(config: Config) -> socket.socket:
    """Listen, and do not block.

    Raises:
        WrongInput: there is no such host.
        Failed: the port is taken, or not ours to take.
    """
    try:
        found = socket.getaddrinfo(
            config.host,
            config.port,
            type=socket.SOCK_STREAM,
            flags=socket.AI_PASSIVE,
        )
    except (OSError, UnicodeError) as ex:
        raise WrongInput(f"there is no address {config.host!r} to listen on") from ex
    # localhost has two, of which people mean 127.0.0.1.
    family, _, _, _, address = min(found, key=lambda one: one[0] != socket.AF_INET)
    try:
        listener = socket.create_server(
            address[:2],
            family=family,
            backlog=BACKLOG,
            dualstack_ipv6=address[0] == "::" and socket.has_dualstack_ipv6(),
        )
    except OSError as ex:
        why = os.strerror(ex.errno) if ex.errno else str(ex)
        raise Failed(
            f"cannot listen on {config.host} port {config.port}: {why}"
        ) from ex
    listener.setblocking(False)
    return listener


def url_of(config: Config, listener: socket.socket) -> str:
    """Where the service answers."""
    host = f"[{config.host}]" if ":" in config.host else config.host
    port = listener.getsockname()[1]
    scheme = "https" if config.server_key else "http"
    return f"{scheme}://{host}:{port}{config.base}/"
