"""The event loop of a worker, in a thread of its own."""

from __future__ import annotations

import asyncio
import importlib.util
import socket
import ssl
from collections.abc import Callable

# uvloop is asyncio's loop over libuv: a request costs a third of asyncio's own time.
LIBRARY = "uvloop" if importlib.util.find_spec("uvloop") else "asyncio"
# A client has so many seconds for TLS's handshake.
_HANDSHAKE_SECONDS = 10.0


def new_loop() -> asyncio.AbstractEventLoop:
    """Make a loop: uvloop's, or asyncio's own where uvloop is not installed."""
    if LIBRARY == "uvloop":
        import uvloop

        return uvloop.new_event_loop()
    return asyncio.new_event_loop()


async def listen(
    loop: asyncio.AbstractEventLoop,
    connect: Callable[[], asyncio.Protocol],
    listener: socket.socket,
    context: ssl.SSLContext | None,
    backlog: int,
) -> asyncio.Server:
    """Take connections from a socket that listens already."""
    server: asyncio.Server = await loop.create_server(
        connect,
        sock=listener,
        ssl=context,
        backlog=backlog,
        ssl_handshake_timeout=_HANDSHAKE_SECONDS if context else None,
    )
    return server
