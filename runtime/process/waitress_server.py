"""Private parts of waitress, by which its servers end when they have answered.

waitress tells nobody where its servers are, nor whether they have work. What is used of
it is named here alone, pyproject.toml admits the versions that this was tried with, and
``tests/runtime/process/test_waitress_server.py`` fails where a version has it
otherwise. Nothing here imports waitress: a process that serves by something else has no
use for it.
"""

from __future__ import annotations

import gc
import socket
import sys
from typing import Any, TypeAlias

_MODULE = "waitress.server"

# waitress.server.BaseWSGIServer: one for each socket that listens.
WaitressServer: TypeAlias = Any


def is_imported() -> bool:
    """Whether waitress may serve in this process."""
    return _MODULE in sys.modules


def servers_of_this_process() -> list[WaitressServer]:
    """The servers that there are; nothing but the garbage collector knows of them."""
    kind = sys.modules[_MODULE].BaseWSGIServer
    return [found for found in gc.get_objects() if isinstance(found, kind)]


def stop_listening(server: WaitressServer) -> None:
    """Take no more connections; those that there are go on.

    To be called in the main thread, which is waitress's own: nothing else touches its
    sockets.
    """
    server.del_channel()
    # Not closed: select() may be waiting for it at this moment.
    server.socket.shutdown(socket.SHUT_RDWR)


def is_busy(server: WaitressServer) -> bool:
    """Whether a request is half received, not answered, or half answered.

    Between two of its steps a request may be in none of these states: ask twice.
    """
    return any(
        channel.request is not None or channel.requests or channel.total_outbufs_len
        for channel in list(server.active_channels.values())
    )
