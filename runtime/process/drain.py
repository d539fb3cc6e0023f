"""Ending well: what was begun is answered, and nothing new is wanted.

``runtime serve`` sees to it in ``runtime.server``. waitress does not: SIGTERM ends it
where it stands, and what it holds is lost.
"""

from __future__ import annotations

import gc
import logging
import os
import signal
import socket
import sys
import threading
import time
from typing import Any

logger = logging.getLogger(__name__)

# Set when the process is asked to end; ``/readyz`` says so at once, and a load balancer
# sends its requests elsewhere.
DRAINING = threading.Event()

# How often waitress is looked at, in seconds.
_PAUSE_SECONDS = 0.05


def drain_under_waitress(seconds: int) -> None:
    """Let SIGTERM end waitress when it has answered; a second signal ends it at once.

    Does nothing under another server, or where SIGTERM is somebody's already.

    Args:
        seconds: that it may take.
    """
    if (
        "waitress.server" in sys.modules
        and threading.current_thread() is threading.main_thread()
        and signal.getsignal(signal.SIGTERM) is signal.SIG_DFL
    ):
        signal.signal(signal.SIGTERM, lambda *_: _begin(seconds))


def _begin(seconds: int) -> None:
    """In the main thread, which is waitress's own: nothing else touches its sockets."""
    DRAINING.set()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda number, _: os._exit(128 + number))
    # It tells nobody where its server is.
    kind: Any = sys.modules["waitress.server"]
    servers = [o for o in gc.get_objects() if isinstance(o, kind.BaseWSGIServer)]
    for server in servers:
        server.del_channel()
        # Not closed: select() may be waiting for it at this moment.
        server.socket.shutdown(socket.SHUT_RDWR)
    threading.Thread(target=_end_when_idle, args=(servers, seconds)).start()


def _end_when_idle(servers: list[Any], seconds: int) -> None:
    end = time.monotonic() + seconds
    idle = 0
    # Twice: between two of its steps a request may be in no list.
    while idle < 2:
        idle = 0 if any(map(_is_busy, servers)) else idle + 1
        if time.monotonic() > end:
            logger.warning("requests were not answered within %d s", seconds)
            break
        time.sleep(_PAUSE_SECONDS)
    logging.shutdown()
    os._exit(0)


def _is_busy(server: Any) -> bool:
    """Whether a request is half received, not answered, or half answered."""
    return any(
        channel.request is not None or channel.requests or channel.total_outbufs_len
        for channel in list(server.active_channels.values())
    )
