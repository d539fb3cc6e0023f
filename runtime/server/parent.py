"""The workers' parent: it starts workers, hears from them, and replaces them."""

from __future__ import annotations

import logging
import multiprocessing
import signal
import socket
import threading
import time
from collections.abc import Sequence
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import click
from granian.constants import HTTPModes, Interfaces, SSLProtocols
from granian.server.mp import MPServer, WorkerProcess

from bundle.errors import DomainError
from bundle.store import ModelStore
from bundle.terminal import Failed
from runtime import walls
from runtime.access.gate import gate_of
from runtime.config import Config
from runtime.process.exit_code import how_it_ended
from runtime.server.listener import BACKLOG, url_of
from runtime.server.signals import PARENTS_SIGNALS, hear, held_back
from runtime.server.worker import Worker
from runtime.telemetry.counters import forget_process

logger = logging.getLogger(__name__)

# If so many workers in a row end by themselves within so many seconds of their start,
# the next ones would end, too.
SOON_SECONDS = 2.0
SOON_LIMIT = 3


class Parent(MPServer):
    """Granian's server with the service's own sockets, and its own errors.

    Args:
        config: the settings; each worker gets them.
        listeners: the sockets, one for each worker; they have one port, listen and do
            not block.
        made: a folder that is removed when the service ends; or empty.
    """

    def __init__(
        self, config: Config, listeners: Sequence[socket.socket], made: str
    ) -> None:
        super().__init__(
            "runtime.app",
            interface=Interfaces.RSGI,
            http=HTTPModes.http1,
            websockets=False,
            workers=len(listeners),
            backlog=BACKLOG,
            ssl_key=Path(config.server_key) if config.server_key else None,
            ssl_cert=Path(config.server_crt) if config.server_crt else None,
            ssl_protocol_min=SSLProtocols.tls12,
            # In the parent, granian's log names each start and end of a worker. In a
            # worker, runtime.app sets the logs up.
            log_enabled=False,
            respawn_failed_workers=True,
            workers_kill_timeout=config.drain_seconds,
        )
        self._config = config
        self._listeners = listeners
        self._made = made
        self._failure: DomainError | click.ClickException | None = None
        self._ready: set[int] = set()
        self._ended_soon = 0
        self._is_announced = False

    def run(self) -> None:
        """Serve; an error is raised when every worker has ended."""
        messages, reporter = multiprocessing.Pipe(duplex=False)
        threading.Thread(target=self._hear, args=(messages,), daemon=True).start()
        try:
            worker = Worker(self._config, reporter, self._made, self.ssl_ctx)
            self.serve(spawn_target=worker, wrap_loader=False)
        except SystemExit:
            # Granian raises it if workers ended while it was ending.
            logger.debug("granian ended", exc_info=True)
        if self._failure:
            raise self._failure

    def _hear(self, messages: Connection) -> None:
        """Read, in a thread, each worker's word: it can answer, or why it never will.

        When all workers can answer, the first line is printed.
        """
        waited_for = self.workers
        while True:
            try:
                pid, refusal = messages.recv()
            except EOFError:
                return
            self._ready.add(pid)
            waited_for -= 1
            try:
                if refusal:
                    raise DomainError(refusal)
                if not waited_for and not self._failure:
                    self._announce()
                    self._is_announced = True
            except DomainError as ex:
                self._give_up(ex)

    def _announce(self) -> None:
        count = len(ModelStore(self._config.model_dir).names())
        models = f"{count} model{'' if count == 1 else 's'}"
        threads = f"{self._config.threads} thread{'s' * (self._config.threads != 1)}"
        workers = f"{self.workers} worker{'s' * (self.workers != 1)} of {threads}"
        click.echo(
            f"serving {self._config.model_dir}/ ({models}) on"
            f" {url_of(self._config, self._listeners[0])}  ({workers}; Ctrl-C stops)"
        )
        click.echo(gate_of(self._config).sentence)
        click.echo(walls.sentence(self._config.walls, self._config.run_as_user))
        walls.warn(self._config.walls)

    def _give_up(self, failure: DomainError | click.ClickException) -> None:
        self._failure = self._failure or failure
        self.interrupt_signal = True
        self.main_loop_interrupt.set()

    # The methods below are granian's own, and granian calls them.

    def _init_shared_socket(self) -> None:
        """Make no socket of granian's, because it closes them when a worker ends.

        Clients that wait for that worker would be cut off. Two services could also
        share a port without any notice.
        """
        self._ssp = None
        heard = {signal.SIGTERM, *PARENTS_SIGNALS} - self._ignored
        hear(heard, self.signal_handler_interrupt)
        for number in self._ignored:
            signal.signal(number, signal.SIG_IGN)

    def startup(self, spawn_target: Any, target_loader: Any) -> None:
        """Remember the signals that nohup or a shell told this process to ignore."""
        self._ignored = {
            number
            for number in PARENTS_SIGNALS
            if signal.getsignal(number) is signal.SIG_IGN
        }
        super().startup(spawn_target, target_loader)

    def signal_handler_interrupt(self, *args: object, **kwargs: object) -> None:
        """End the workers; the second signal ends them at once."""
        if self.interrupt_signal:
            for worker in self.wrks:
                worker.kill()
        self.interrupt_signal = True
        self.main_loop_interrupt.set()

    def _drop_shared_socket(self) -> None:
        """Close all sockets; from now on new connections are refused."""
        for listener in self._listeners:
            listener.close()

    def _spawn_worker(self, idx: int, target: Any, *_: Any, **__: Any) -> WorkerProcess:
        """Make a worker with its socket, which the worker before it had."""
        return WorkerProcess(self, idx, target, (idx + 1, self._listeners[idx]))

    def _spawn_workers(self, spawn_target: Any, target_loader: Any) -> None:
        with held_back(PARENTS_SIGNALS):
            super()._spawn_workers(spawn_target, target_loader)

    def _respawn_workers(
        self,
        workers: list[int],
        spawn_target: Any,
        target_loader: Any,
        delay: float = 0,
    ) -> None:
        for index in workers:
            worker = self.wrks[index]
            how = how_it_ended(worker.inner.exitcode, "killed")
            # SIGKILL comes from outside, and tells nothing about the next worker.
            by_itself = worker.inner.exitcode != -signal.SIGKILL
            soon = by_itself and time.monotonic() - worker.birth < SOON_SECONDS
            self._ended_soon = self._ended_soon + 1 if soon else 0
            if worker.inner.pid not in self._ready and (
                by_itself or not self._is_announced
            ):
                self._give_up(Failed(f"a worker process {how} before it could serve"))
                return
            if self._ended_soon == SOON_LIMIT:
                self._give_up(Failed(f"each worker process {how} as soon as it served"))
                return
            self._ready.discard(worker.inner.pid)
            logger.warning("a worker process %s; another takes its place", how)
            forget_process(worker.inner.pid)
        with held_back(PARENTS_SIGNALS):
            super()._respawn_workers(workers, spawn_target, target_loader, delay)
        # Otherwise granian gives up when one worker is killed twice within seconds.
        self.respawned_wrks.clear()
