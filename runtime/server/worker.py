"""A worker: it builds the app, tells the parent, serves, and ends with the parent."""

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

# The most connections that a worker holds at a time, if it may have so many files open.
# More wait in the kernel's queue. A connection that only waits takes some 20 KB.
CONNECTIONS = 8192
# A worker may have so many other files open.
_FILES = 512
# A whole head must come within this time, and so must the next head of a connection
# that is kept. An idle connection would keep other clients waiting.
_HEAD_MILLISECONDS = 10_000
# The size of a head; a path, a token and a trace take 2 KiB of it.
_HEAD_BYTES = 1 << 16


class Worker:
    """One process that serves.

    Args:
        config: the settings.
        reporter: the pipe to the parent, which is told that the app is built, or why it
            cannot be.
        made: a folder that is removed when the service ends; or empty.
        tls: the settings of TLS in granian's own form.
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
            number: the worker's number, from 1 on.
            listener: the worker's own socket.
        """
        asked = take_signals(DRAINING.set)
        threading.Thread(target=self._end_with_the_parent, daemon=True).start()
        files = _allow_files(CONNECTIONS + _FILES)
        connections = min(CONNECTIONS, max(files - _FILES, files // 2))
        front = self._build()
        ended = threading.Event()
        asked.add_cb(ended.set)
        server: Any = RSGIWorker  # its stub describes another version
        holder: Any = SocketHolder
        server(
            number,
            (None, holder(listener.fileno(), False, BACKLOG)),
            None,
            1,  # the number of threads for the network
            _FILES,  # the most threads that read files
            1,  # the number of threads that call the front
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
        """Build the app; if that fails, tell the parent why, and wait for the end."""
        # An earlier process with this one's number may have left gauges.
        forget_process(os.getpid())
        config = self._config
        try:
            from runtime.app import get_app
            from runtime.http.routes import Lanes

            app = get_app(config)
        except DomainError as ex:
            # The sentence is far shorter than PIPE_BUF, so two workers' never mix.
            self._reporter.send((os.getpid(), str(ex)[:1000]))
            # The parent hears it, or heard it from another worker, and ends this
            # process. If the process ended by itself, the parent would start another.
            DRAINING.wait()
            sys.exit(1)
        # Granian's words about an app that fails go into the service's log.
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
        """End as after a SIGTERM when the parent has ended, even if it was killed."""
        parent = multiprocessing.parent_process()
        assert parent is not None, "a worker has one"
        parent.join()
        if self._made:
            shutil.rmtree(self._made, ignore_errors=True)
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(self._config.drain_seconds)
        os.kill(os.getpid(), signal.SIGKILL)


class _Scheduler(CallbackScheduler):
    """Stands in the place of granian's scheduler for asyncio; it calls the front."""

    __slots__ = ()

    def __new__(cls, front: Callable[[Watcher], None]) -> _Scheduler:
        new: Any = super().__new__
        scheduler: _Scheduler = new(cls, _Loop(), front, None, None, None)
        return scheduler

    def __init__(self, front: Callable[[Watcher], None]) -> None:
        super().__init__()
        self._schedule_fn = front


class _Loop:
    """Stands in the place of granian's event loop; it calls each function at once."""

    def call_soon_threadsafe(
        self, call: Callable[..., object], *args: object, context: object = None
    ) -> None:
        """Call a function in granian's thread."""
        call(*args)

    call_soon = call_soon_threadsafe


def _allow_files(count: int) -> int:
    """Let the process have so many files open; return the number that it may have.

    The number is smaller if the process's hard limit is.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY:
        count = min(count, hard)
    if soft != resource.RLIM_INFINITY and soft < count:
        resource.setrlimit(resource.RLIMIT_NOFILE, (count, hard))
    return count
