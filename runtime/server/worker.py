"""A worker's side: it builds the app, tells the parent, and ends with it."""

from __future__ import annotations

import logging
import multiprocessing
import os
import shutil
import signal
import sys
import threading
import time
from multiprocessing.connection import Connection
from typing import TYPE_CHECKING

import granian._signals

from bundle.errors import DomainError
from runtime.config import Config
from runtime.counters import forget_process
from runtime.server.signals import take_signals

if TYPE_CHECKING:
    from wsgiref.types import WSGIApplication

# What a request may still take when the service is asked to end: less than the 30 s
# after which Kubernetes kills.
DRAIN_SECONDS = 20


class Worker:
    """Builds the app inside a worker; granian takes it there."""

    def __init__(self, config: Config, reporter: Connection, made: str) -> None:
        self._config = config
        self._reporter = reporter
        self._made = made

    def __call__(self) -> WSGIApplication:
        """Build the app, or tell why not and wait to be ended."""
        granian._signals.set_sync_signals = take_signals
        threading.Thread(target=self._end_with_the_parent, daemon=True).start()
        # Gauges of an earlier process that had this one's number.
        forget_process(os.getpid())
        try:
            from runtime.app import get_app

            application = get_app(self._config)
        except DomainError as ex:
            # Well below PIPE_BUF, so that no two workers' sentences mix.
            self._reporter.send((os.getpid(), str(ex)[:1000]))
            # The parent hears it and ends this process; ended by itself, it would be
            # started anew.
            signal.pause()
            sys.exit(1)
        # What granian has to say of an app that fails goes where the rest goes.
        its_log = logging.getLogger("_granian")
        its_log.handlers = logging.getLogger("runtime").handlers
        its_log.setLevel(logging.ERROR)
        self._reporter.send((os.getpid(), ""))
        return application

    def _end_with_the_parent(self) -> None:
        """When the parent is gone, killed even, end as if it had asked to."""
        parent = multiprocessing.parent_process()
        assert parent is not None, "a worker has one"
        parent.join()
        if self._made:
            shutil.rmtree(self._made, ignore_errors=True)
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(DRAIN_SECONDS)
        os.kill(os.getpid(), signal.SIGKILL)
