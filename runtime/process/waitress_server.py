"""Private parts of waitress, by which its servers can end after their answers.

waitress does not tell where its servers are, or whether they have work. Only this file
names its private parts. pyproject.toml admits the versions that were tried, and
``tests/runtime/process/test_waitress_server.py`` fails if a version differs. This
module does not import waitress, because a process with another server does not need it.
"""

from __future__ import annotations

import gc
import socket
import sys
from typing import Any, TypeAlias

_MODULE = "waitress.server"

# This is waitress.server.BaseWSGIServer; there is one for each listening socket.
WaitressServer: TypeAlias = Any


def is_imported() -> bool:
    """Tell whether waitress may serve in this process."""
    return _MODULE in sys.modules


def servers_of_this_process() -> list[WaitressServer]:
    """Return all servers; only the garbage collector knows them."""
    kind = sys.modules[_MODULE].BaseWSGIServer
    return [found for found in gc.get_objects() if isinstance(found, kind)]


def stop_listening(server: WaitressServer) -> None:
    """Take no more connections; open ones go on.

    Call it in the main thread, which is waitress's own: nothing else touches its
    sockets.
    """
    server.del_channel()
    # The socket is not closed, because select() may be waiting for it at this moment.
    server.socket.shutdown(socket.SHUT_RDWR)


def is_busy(server: WaitressServer) -> bool:
    """Tell whether a request is half received, not answered, or half answered.

    Between two of its steps a request may be in none of these states: ask twice.
    """
    return any(
        channel.request is not None or channel.requests or channel.total_outbufs_len
        for channel in list(server.active_channels.values())
    )
