"""The workers' parent: it starts workers, hears from them, and replaces them.

SIGHUP lets it read the settings anew.
"""

from __future__ import annotations

import contextlib
import logging
import multiprocessing
import os
import signal
import socket
import time
from collections.abc import Callable, Sequence
from multiprocessing.connection import Connection, wait
from multiprocessing.context import SpawnProcess

import click

from bundle.errors import DomainError
from bundle.terminal import Failed
from runtime import walls
from runtime.access.gate import gate_of
from runtime.config import Config, Settings
from runtime.mirroring import Mirroring, open_served
from runtime.preflight import check_config
from runtime.process.exit_code import how_it_ended
from runtime.process.manager import Manager
from runtime.server.heartbeat import LOOK_SECONDS, Hearts, Watchdog
from runtime.server.listener import url_of
from runtime.server.orders import Order, Word
from runtime.server.reload import Reload
from runtime.server.signals import PARENTS_SIGNALS, hear, held_back
from runtime.server.terminal import Terminal
from runtime.server.worker import Worker
from runtime.telemetry.counters import forget_process

logger = logging.getLogger(__name__)

# If so many workers in a row end by themselves within so many seconds of their start,
# the next ones would end, too.
SOON_SECONDS = 2.0
SOON_LIMIT = 3

# A signal asks for one of these.
_END, _RELOAD = b"end", b"reload"


class Parent:
    """Keeps a worker at each socket.

    Args:
        config: the settings as they were read; each worker gets them.
        read: reads the settings anew, from the same file, variables and flags.
        listeners: the sockets, one for each worker; they have one port, listen and do
            not block.
        made: a folder that is removed when the service ends; or empty.
        grpc_address: the address at which each worker takes gRPC; or empty.
    """

    def __init__(
        self,
        config: Config,
        read: Callable[[], Settings],
        listeners: Sequence[socket.socket],
        made: str,
        grpc_address: str = "",
    ) -> None:
        self._config = config
        self._listeners = listeners
        self._terminal = Terminal()
        self._reload = Reload(
            config,
            read,
            check_config,
            self._send,
            lambda index: self._processes[index].terminate(),
            lambda index: self._processes[index].pid,
            len(listeners),
        )
        self._orders: list[Connection] = []
        self._messages, reporter = multiprocessing.Pipe(duplex=False)
        self._hearts = Hearts(len(listeners))
        self._worker = Worker(reporter, self._hearts, made, grpc_address)
        self._mirroring = Mirroring(config)
        self._manager = Manager(os.environ)
        self._processes: list[SpawnProcess] = []
        self._born: list[float] = []
        self._ready: set[int] = set()
        self._waited_for = len(listeners)
        self._is_announced = False
        self._is_asked = False
        self._ended_soon = 0
        self._replaced = 0
        self._failure: DomainError | click.ClickException | None = None

    def run(self) -> None:
        """Serve until a signal; an error is raised when every worker has ended."""
        woken, waker = multiprocessing.Pipe(duplex=False)

        def ask() -> None:
            if self._is_asked:
                # The second signal ends the workers at once.
                for process in self._processes:
                    process.kill()
            self._is_asked = True
            waker.send_bytes(_END)

        def hang_up() -> None:
            if not self._terminal.is_lost():
                waker.send_bytes(_RELOAD)
            elif not outlives:
                ask()

        # nohup has the service outlive its terminal.
        outlives = signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
        calls = {signal.SIGTERM: ask, signal.SIGHUP: hang_up}
        # A shell has programs in the background ignore Ctrl-C.
        if signal.getsignal(signal.SIGINT) is not signal.SIG_IGN:
            calls[signal.SIGINT] = ask
        hear(calls)
        # The parent answers no requests, so a long listing makes none wait.
        self._mirroring.start()
        try:
            with held_back(PARENTS_SIGNALS):
                for index in range(len(self._listeners)):
                    process, orders = self._start(index)
                    self._processes.append(process)
                    self._orders.append(orders)
                    self._born.append(time.monotonic())
            self._watch(woken)
        finally:
            self._end()
        if self._failure:
            raise self._failure

    def _start(self, index: int, replaced: int = 0) -> tuple[SpawnProcess, Connection]:
        """Start a worker at its socket, which the worker before it had.

        Args:
            index: the socket's number.
            replaced: the number of replaced workers that the new one counts.

        Returns:
            The process, and the pipe of its orders.
        """
        self._hearts.stop(index)
        theirs, orders = multiprocessing.Pipe(duplex=False)
        # A fork would break onnxruntime's threads and locks.
        process = multiprocessing.get_context("spawn").Process(
            target=self._worker,
            args=(
                index,
                self._listeners[index],
                *self._reload.held,
                self._reload.reading,
                theirs,
                replaced,
            ),
        )
        process.start()
        theirs.close()
        return process, orders

    def _send(self, index: int, order: Order) -> None:
        """Send an order to a worker; one that has ended is replaced soon."""
        with contextlib.suppress(OSError):
            self._orders[index].send(order)

    def _watch(self, woken: Connection) -> None:
        """Hear the workers, and replace those that end or hang, until the end."""
        watchdog = Watchdog(self._hearts)
        next_look = time.monotonic() + LOOK_SECONDS
        while not (self._is_asked or self._failure):
            sentinels = [process.sentinel for process in self._processes]
            left = max(0.0, next_look - time.monotonic())
            wait([self._messages, woken, *sentinels], left)
            if self._messages.poll():
                self._hear(self._messages.recv())
            if woken.poll() and woken.recv_bytes() == _RELOAD:
                self._reload.begin()
            for index, process in enumerate(self._processes):
                if process.exitcode is not None and not (
                    self._is_asked or self._failure
                ):
                    self._replace(index)
            if time.monotonic() >= next_look:
                next_look = time.monotonic() + LOOK_SECONDS
                self._manager.lives()
                self._reload.look()
                for index in watchdog.look():
                    logger.error("a worker process hangs, and is killed")
                    self._processes[index].kill()

    def _hear(self, word: Word) -> None:
        """Take a worker's word about an order, or about its start.

        At its start it serves, or tells why it never will. When all workers serve, the
        first line is printed.
        """
        if word.order:
            for index, process in enumerate(self._processes):
                if process.pid == word.pid:  # no word of one that was replaced
                    self._reload.hear(index, word)
            return
        self._ready.add(word.pid)
        self._waited_for -= 1
        if word.refusal:
            # A service that has served is to be started again (exit code 1).
            kind = Failed if self._is_announced else DomainError
            self._failure = self._failure or kind(word.refusal)
        elif not self._waited_for and not self._failure:
            try:
                self._announce()
            except DomainError as ex:
                self._failure = ex
            self._is_announced = True

    def _announce(self) -> None:
        count = len(open_served(self._config).names())
        models = f"{count} model{'' if count == 1 else 's'}"
        threads = f"{self._config.threads} thread{'s' * (self._config.threads != 1)}"
        workers = len(self._listeners)
        crew = f"{workers} worker{'s' * (workers != 1)} of {threads}"
        url = url_of(self._config, self._listeners[0])
        click.echo(
            f"serving {self._config.model_dir}/ ({models}) on {url}"
            f"  ({crew}; Ctrl-C stops)"
        )
        if self._config.grpc_port:
            click.echo(f"gRPC is answered on port {self._config.grpc_port}, too")
        click.echo(gate_of(self._config).sentence)
        click.echo(walls.sentence(self._config.walls, self._config.run_as_user))
        walls.warn(self._config.walls)
        self._manager.serves(f"{models} on {url}, {crew}")

    def _replace(self, index: int) -> None:
        """Start another worker for one that ended, or give up."""
        process = self._processes[index]
        how = how_it_ended(process.exitcode, "killed")
        # SIGKILL comes from outside, and tells nothing about the next worker.
        by_itself = process.exitcode != -signal.SIGKILL
        soon = by_itself and time.monotonic() - self._born[index] < SOON_SECONDS
        self._ended_soon = self._ended_soon + 1 if soon else 0
        assert process.pid is not None, "it was started"
        if process.pid not in self._ready and (by_itself or not self._is_announced):
            self._failure = Failed(f"a worker process {how} before it could serve")
            return
        if self._ended_soon == SOON_LIMIT:
            self._failure = Failed(f"each worker process {how} as soon as it served")
            return
        self._ready.discard(process.pid)
        logger.warning("a worker process %s; another takes its place", how)
        forget_process(process.pid)
        self._replaced += 1
        # The counts of a lone worker end with it.
        counts = self._replaced if len(self._listeners) == 1 else 1
        with held_back(PARENTS_SIGNALS):
            self._orders[index].close()
            self._processes[index], self._orders[index] = self._start(index, counts)
        self._born[index] = time.monotonic()
        self._reload.replaced(index)

    def _end(self) -> None:
        """End all workers; those that take too long are killed."""
        self._manager.ends()
        # From now on new connections are refused, as soon as the workers close theirs.
        for listener in self._listeners:
            listener.close()
        for process in self._processes:
            process.terminate()
        end = time.monotonic() + self._reload.config.drain_seconds
        for process in self._processes:
            process.join(max(0.0, end - time.monotonic()))
            if process.exitcode is None:
                logger.warning("a worker did not end in time, and is killed")
                process.kill()
                process.join()
