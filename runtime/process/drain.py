"""The end of a server: requests that were begun are answered, and no new ones begin.

``runtime.server`` does this for ``runtime serve``. waitress does not: SIGTERM ends it
at once, and its requests are lost.
"""

from __future__ import annotations

import logging
import os
import signal
import threading
import time

from runtime.process.waitress_server import (
    WaitressServer,
    is_busy,
    is_imported,
    servers_of_this_process,
    stop_listening,
)

logger = logging.getLogger(__name__)

# This is set when the process is asked to end. ``/readyz`` says so at once, and a load
# balancer sends its requests elsewhere.
DRAINING = threading.Event()

# waitress is looked at once in so many seconds.
_PAUSE_SECONDS = 0.05


def drain_under_waitress(seconds: int) -> None:
    """Let SIGTERM end waitress after its answers; a second signal ends it at once.

    It does nothing under another server, or where SIGTERM has another handler.

    Args:
        seconds: the time that the end may take.
    """
    if (
        is_imported()
        and threading.current_thread() is threading.main_thread()
        and signal.getsignal(signal.SIGTERM) is signal.SIG_DFL
    ):
        signal.signal(signal.SIGTERM, lambda *_: _begin(seconds))


def _begin(seconds: int) -> None:
    """Begin the end in the main thread, where waitress alone uses its sockets."""
    DRAINING.set()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda number, _: os._exit(128 + number))
    servers = servers_of_this_process()
    for server in servers:
        stop_listening(server)
    threading.Thread(target=_end_when_idle, args=(servers, seconds)).start()


def _end_when_idle(servers: list[WaitressServer], seconds: int) -> None:
    end = time.monotonic() + seconds
    idle = 0
    # It must be idle twice: between two steps a request may be in no list.
    while idle < 2:
        idle = 0 if any(map(is_busy, servers)) else idle + 1
        if time.monotonic() > end:
            logger.warning("requests were not answered within %d s", seconds)
            break
        time.sleep(_PAUSE_SECONDS)
    logging.shutdown()
    os._exit(0)
