"""``runtime serve``: granian's worker processes over one listening socket.

The socket is bound and listens before any worker starts, and the parent keeps it: who
connects while a worker starts, ends or is killed waits in the kernel's queue, and is
answered by the next one that is free. The parent itself imports no engine and builds no
app; each worker builds its own, and tells the parent by a pipe that it did, or why not.
"""

from __future__ import annotations

import logging
import multiprocessing
import os
import shutil
import signal
import socket
import ssl
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from multiprocessing import resource_tracker
from multiprocessing.connection import Connection
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
import granian._signals
from granian._granian import SocketHolder, WorkerSignal
from granian.constants import HTTPModes, Interfaces, SSLProtocols
from granian.server.mp import MPServer

from bundle.errors import DomainError
from bundle.store import ModelStore
from bundle.terminal import Failed, WrongInput
from runtime.config import Config, ConfigError
from runtime.cores import usable_cores

if TYPE_CHECKING:
    from wsgiref.types import WSGIApplication

logger = logging.getLogger(__name__)

# Connections that wait for a worker.
BACKLOG = 1024
# What a request may still take when the service is asked to end: less than the 30 s
# after which Kubernetes kills.
DRAIN_SECONDS = 20
# Workers that end by themselves so soon after their start, this often in a row, will
# not do better.
SOON_SECONDS = 2.0
SOON_LIMIT = 3
METRICS_FOLDER = "PROMETHEUS_MULTIPROC_DIR"
# The terminal sends them to every process of the service; the parent decides.
_PARENTS_SIGNALS = (signal.SIGINT, signal.SIGHUP)


def serve(config: Config) -> None:
    """Serve until SIGTERM, Ctrl-C or SIGHUP; requests in hand are answered first.

    Raises:
        Failed: the port is taken, or the workers do not live.
        WrongInput: there is no such host.
        DomainError: a setting is wrong, or the store cannot be read.
    """
    _check_tls(config)
    workers = count_workers(config)
    with _listen(config) as listener, _metrics_folder(workers) as made:
        # Not forked: onnxruntime's threads and locks do not live through that.
        multiprocessing.set_start_method("spawn", force=True)
        _Server(config, workers, listener, made).run()


def count_workers(config: Config) -> int:
    """How many processes serve: config.json's ``workers``, or what fits the machine."""
    if config.workers:
        return config.workers
    if config.provider == "cuda" or (config.provider == "auto" and _has_cuda()):
        return 1
    return usable_cores()


def _has_cuda() -> bool:
    """Whether onnxruntime would take CUDA; the parent does not import it to ask."""
    spec = find_spec("onnxruntime")
    folders = (spec.submodule_search_locations or []) if spec else []
    library = "capi/libonnxruntime_providers_cuda.so"
    return any((Path(folder) / library).exists() for folder in folders) and any(
        Path(device).exists() for device in ("/dev/nvidiactl", "/dev/dxg")
    )


def _check_tls(config: Config) -> None:
    for key, name in (
        ("serverKey", config.server_key),
        ("serverCrt", config.server_crt),
    ):
        try:
            if name:
                Path(name).read_bytes()
        except OSError as ex:
            raise ConfigError(
                f"{key!r} is {name}, which cannot be read: {ex.strerror}"
            ) from ex
    if not config.server_key:
        return
    try:
        # A key under a password would be asked for at the terminal.
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(
            config.server_crt, config.server_key, password=lambda: b""
        )
    except ssl.SSLError as ex:
        raise ConfigError(
            f"'serverKey' {config.server_key} and 'serverCrt' {config.server_crt} are"
            " no pair of a key without a password and its certificate, in PEM, that"
            f" OpenSSL takes: {(ex.reason or 'unreadable').replace('_', ' ').lower()}"
        ) from ex


def _listen(config: Config) -> socket.socket:
    try:
        found = socket.getaddrinfo(
            config.host or None,
            config.port,
            type=socket.SOCK_STREAM,
            flags=socket.AI_PASSIVE,
        )
    except (OSError, UnicodeError) as ex:
        raise WrongInput(f"there is no address {config.host!r} to listen on") from ex
    # localhost has two, of which people mean 127.0.0.1.
    family, _, _, _, address = min(found, key=lambda one: one[0] != socket.AF_INET)
    try:
        listener = socket.create_server(
            address[:2],
            family=family,
            backlog=BACKLOG,
            dualstack_ipv6=address[0] == "::" and socket.has_dualstack_ipv6(),
        )
    except OSError as ex:
        why = os.strerror(ex.errno) if ex.errno else str(ex)
        raise Failed(
            f"cannot listen on {config.host} port {config.port}: {why}"
        ) from ex
    listener.setblocking(False)
    return listener


def _url(config: Config, listener: socket.socket) -> str:
    host = f"[{config.host}]" if ":" in config.host else config.host
    port = listener.getsockname()[1]
    scheme = "https" if config.server_key else "http"
    return f"{scheme}://{host}:{port}{config.base}/"


@contextmanager
def _metrics_folder(workers: int) -> Iterator[str]:
    """Where the workers' counters meet, for as long as the block lasts.

    Yields:
        The folder, if it was made here; else it is empty.
    """
    if workers == 1 or METRICS_FOLDER in os.environ:
        yield ""
        return
    os.environ[METRICS_FOLDER] = folder = tempfile.mkdtemp(prefix="tfaas-metrics-")
    try:
        yield folder
    finally:
        del os.environ[METRICS_FOLDER]
        shutil.rmtree(folder, ignore_errors=True)


class _Server(MPServer):
    """Granian's server over a socket of ours, with our word on what fails.

    Args:
        config: the settings; each worker gets them.
        workers: processes.
        listener: a listening socket that does not block.
        made: a folder that goes when the service does; or empty.
    """

    def __init__(
        self, config: Config, workers: int, listener: socket.socket, made: str
    ) -> None:
        super().__init__(
            "runtime.app",
            interface=Interfaces.WSGI,
            http=HTTPModes.http1,
            websockets=False,
            workers=workers,
            blocking_threads=config.threads,
            backlog=BACKLOG,
            ssl_key=Path(config.server_key) if config.server_key else None,
            ssl_cert=Path(config.server_crt) if config.server_crt else None,
            ssl_protocol_min=SSLProtocols.tls12,
            # Here it speaks of each worker's coming and going; in a worker,
            # runtime.app sets the logs up.
            log_enabled=False,
            respawn_failed_workers=True,
            workers_kill_timeout=DRAIN_SECONDS,
        )
        self._config = config
        self._listener = listener
        self._made = made
        self._failure: DomainError | click.ClickException | None = None
        self._ready: set[int] = set()
        self._ended_soon = 0
        self._is_announced = False

    def run(self) -> None:
        """Serve; what went wrong is raised when every worker has ended."""
        messages, reporter = multiprocessing.Pipe(duplex=False)
        threading.Thread(target=self._hear, args=(messages,), daemon=True).start()
        try:
            loader = _Loader(self._config, reporter, self._made)
            self.serve(target_loader=loader, wrap_loader=False)
        except SystemExit:
            # Granian's, when workers ended while it did.
            logger.debug("granian ended", exc_info=True)
        if self._failure:
            raise self._failure

    def _hear(self, messages: Connection) -> None:
        """What workers tell, in a thread: that they can answer, or why they never will.

        When every one can, the first line is printed.
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
        models = len(ModelStore(self._config.model_dir).names())
        workers = f"{self.workers} worker{'' if self.workers == 1 else 's'}"
        click.echo(
            f"serving {self._config.model_dir}/ ({models} models) on"
            f" {_url(self._config, self._listener)}  ({workers}; Ctrl-C stops)"
        )

    def _give_up(self, failure: DomainError | click.ClickException) -> None:
        self._failure = self._failure or failure
        self.interrupt_signal = True
        self.main_loop_interrupt.set()

    # From here on granian's own methods, which it calls.

    def _init_shared_socket(self) -> None:
        """Share one socket, as granian does where there is no SO_REUSEPORT.

        With one socket a worker (Linux's way in granian) two services could share a
        port without knowing, and who waits for a worker that is killed is cut off.
        """
        self._ssp = None
        self._sso = self._listener
        holder: Any = SocketHolder  # its stub lacks what it takes
        self._shd = holder(self._listener.fileno(), False, BACKLOG)
        for number in _PARENTS_SIGNALS:
            if number in self._ignored:
                signal.signal(number, signal.SIG_IGN)

    def startup(self, spawn_target: Any, target_loader: Any) -> None:
        # nohup's, and those of a shell's background jobs.
        self._ignored = {
            number
            for number in _PARENTS_SIGNALS
            if signal.getsignal(number) is signal.SIG_IGN
        }
        super().startup(spawn_target, target_loader)

    def signal_handler_interrupt(self, *args: object, **kwargs: object) -> None:
        if self.interrupt_signal:  # asked twice
            for worker in self.wrks:
                worker.kill()
        self.interrupt_signal = True
        _aside(self.main_loop_interrupt.set)

    # The terminal was closed; granian would start the workers anew.
    signal_handler_reload = signal_handler_interrupt

    def _spawn_workers(self, spawn_target: Any, target_loader: Any) -> None:
        with _held_back(_PARENTS_SIGNALS):
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
            how = _how_it_ended(worker.inner.exitcode)
            # SIGKILL comes from outside, and says nothing of the next one.
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
            _forget_metrics(worker.inner.pid)
        with _held_back(_PARENTS_SIGNALS):
            super()._respawn_workers(workers, spawn_target, target_loader, delay)
        # Granian gives up when one worker is killed twice within seconds.
        self.respawned_wrks.clear()


@contextmanager
def _held_back(numbers: tuple[signal.Signals, ...]) -> Iterator[None]:
    """Let signals wait; processes that start meanwhile never get them."""
    # Its own start, which the first process brings about, would end the waiting.
    resource_tracker.ensure_running()
    before = signal.pthread_sigmask(signal.SIG_BLOCK, numbers)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _how_it_ended(code: int | None) -> str:
    if code is not None and code < 0:
        return f"was killed by {signal.Signals(-code).name}"
    return f"ended with exit code {code}"


def _forget_metrics(pid: int) -> None:
    """Drop the gauges of a process that is gone; what it counted stays counted."""
    if METRICS_FOLDER in os.environ:
        from prometheus_client.multiprocess import mark_process_dead

        mark_process_dead(pid)


class _Loader:
    """Builds the app inside a worker; granian takes it there."""

    def __init__(self, config: Config, reporter: Connection, made: str) -> None:
        self._config = config
        self._reporter = reporter
        self._made = made

    def __call__(self) -> WSGIApplication:
        granian._signals.set_sync_signals = _take_signals
        threading.Thread(target=self._end_with_the_parent, daemon=True).start()
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


def _take_signals() -> WorkerSignal:
    """Granian's own takes one signal well, and hangs at two.

    A process manager may send SIGTERM to every process, and the parent sends it too.
    """
    asked = WorkerSignal()
    first = threading.Lock()

    def ask(*_: object) -> None:
        if first.acquire(blocking=False):
            _aside(asked.set)

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, ask)
    return asked


def _aside(call: Callable[[], None]) -> None:
    """Call in a thread: a handler would wait for a lock that the code below it has."""
    threading.Thread(target=call).start()
