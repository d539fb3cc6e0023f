"""A worker's side: it builds the app, tells the parent, serves, and ends with it."""

from __future__ import annotations

import logging
import multiprocessing
import os
import resource
import shutil
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable
from multiprocessing.connection import Connection
from typing import Any

from granian._granian import CallbackScheduler, RSGIWorker, SocketHolder
from granian.http import HTTP1Settings

from bundle.errors import DomainError
from runtime.config import Config
from runtime.process.drain import DRAINING
from runtime.server.front import Front, Watcher
from runtime.server.listener import BACKLOG
from runtime.server.signals import take_signals
from runtime.telemetry.counters import forget_process

# Connections that a worker holds at a time, where it may have so many files open; more
# wait in the kernel's queue. Each that only waits takes some 20 KB.
CONNECTIONS = 8192
# And what it has open besides.
_FILES = 512
# A head must come whole within this time, and a connection that is kept must bring the
# next one: what granian holds open for nobody keeps others waiting.
_HEAD_MILLISECONDS = 10_000
# The size of a head; a path, a token and a trace take 2 KiB of it.
_HEAD_BYTES = 1 << 16


class Worker:
    """One process that serves.

    Args:
        config: the settings.
        reporter: tells the parent that the app is built, or why it cannot be.
        made: a folder that goes when the service does; or empty.
        tls: granian's own form of it.
    """

    def __init__(
        self, config: Config, reporter: Connection, made: str, tls: tuple[Any, ...]
    ) -> None:
        self._config = config
        self._reporter = reporter
        self._made = made
        self._tls = tls

    def __call__(self, number: int, listener: socket.socket) -> None:
        """Serve until SIGTERM, which lets requests in hand be answered.

        Args:
            number: from 1.
            listener: its own.
        """
        asked = take_signals(DRAINING.set)
        threading.Thread(target=self._end_with_the_parent, daemon=True).start()
        files = _allow_files(CONNECTIONS + _FILES)
        connections = min(CONNECTIONS, max(files - _FILES, files // 2))
        front = self._build()
        ended = threading.Event()
        asked.add_cb(ended.set)
        server: Any = RSGIWorker  # its stub is of another version
        holder: Any = SocketHolder
        server(
            number,
            (None, holder(listener.fileno(), False, BACKLOG)),
            None,
            1,  # thread of its own, for the network
            _FILES,  # at most, that read files
            1,  # that calls the front
            30,
            connections,
            "1",
            HTTP1Settings(
                header_read_timeout=_HEAD_MILLISECONDS, max_buffer_size=_HEAD_BYTES
            ),
            None,
            False,
            None,
            *self._tls,
            (None, None),
        ).serve_str(_Scheduler(front), _Loop(), asked)
        ended.wait()

    def _build(self) -> Front:
        """Build the app, or tell why not and wait to be ended."""
        # Gauges of an earlier process that had this one's number.
        forget_process(os.getpid())
        config = self._config
        try:
            from runtime.app import get_app
            from runtime.http.routes import Lanes

            app = get_app(config)
        except DomainError as ex:
            # Well below PIPE_BUF, so that no two workers' sentences mix.
            self._reporter.send((os.getpid(), str(ex)[:1000]))
            # The parent hears it, or has heard as much from another, and ends this
            # process; ended by itself, it would be started anew.
            DRAINING.wait()
            sys.exit(1)
        # What granian has to say of an app that fails goes where the rest goes.
        its_log = logging.getLogger("_granian")
        its_log.handlers = logging.getLogger("runtime").handlers
        its_log.setLevel(logging.ERROR)
        front = Front(
            app,
            app.door,
            lane_of=Lanes(base=config.base).lane_of,
            threads=config.threads,
            max_waiting=config.max_queue,
            max_body_bytes=config.max_body_bytes,
        )
        self._reporter.send((os.getpid(), ""))
        return front

    def _end_with_the_parent(self) -> None:
        """When the parent is gone, killed even, end as if it had asked to."""
        parent = multiprocessing.parent_process()
        assert parent is not None, "a worker has one"
        parent.join()
        if self._made:
            shutil.rmtree(self._made, ignore_errors=True)
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(self._config.drain_seconds)
        os.kill(os.getpid(), signal.SIGKILL)


class _Scheduler(CallbackScheduler):
    """Stands where granian has asyncio's: it calls the front, and nothing more."""

    __slots__ = ()

    def __new__(cls, front: Callable[[Watcher], None]) -> _Scheduler:
        new: Any = super().__new__
        scheduler: _Scheduler = new(cls, _Loop(), front, None, None, None)
        return scheduler

    def __init__(self, front: Callable[[Watcher], None]) -> None:
        super().__init__()
        self._schedule_fn = front


class _Loop:
    """Stands where granian has an event loop: what is to be called is called here."""

    def call_soon_threadsafe(
        self, call: Callable[..., object], *args: object, context: object = None
    ) -> None:
        """Call it, in granian's thread."""
        call(*args)

    call_soon = call_soon_threadsafe


def _allow_files(count: int) -> int:
    """Let the process have as many open, if its limits allow it; how many it may."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY:
        count = min(count, hard)
    if soft != resource.RLIM_INFINITY and soft < count:
        resource.setrlimit(resource.RLIMIT_NOFILE, (count, hard))
    return count
