"""A worker: it builds the app, tells the parent, serves, and ends with the parent."""

from __future__ import annotations

import asyncio
import logging
import multiprocessing
import os
import resource
import shutil
import signal
import socket
import ssl
import sys
import threading
import time
from multiprocessing.connection import Connection
from typing import TYPE_CHECKING, Any, NamedTuple

from bundle.errors import DomainError
from runtime.access.pair import Pair
from runtime.config import Config
from runtime.process.drain import DRAINING
from runtime.server.certificate import Certificate
from runtime.server.front import CONNECTIONS, Front
from runtime.server.heartbeat import LOOK_SECONDS, Hearts
from runtime.server.listener import BACKLOG
from runtime.server.loop import listen, new_loop
from runtime.server.orders import Word
from runtime.server.signals import hear
from runtime.telemetry.counters import forget_process
from runtime.telemetry.reading import Reading, tell

if TYPE_CHECKING:
    from runtime.grpc.server import GrpcServer
    from runtime.server.following import Following

logger = logging.getLogger(__name__)

# A worker may have so many files open beside its connections.
_FILES = 512
# Connections that wait in the kernel's queue when the worker is told to end are still
# taken for so many seconds.
_LAST_SECONDS = 0.05


class _Served(NamedTuple):
    """The parts that a worker has built."""

    front: Front
    certificate: Certificate | None
    grpc: GrpcServer | None
    following: Following


class Worker:
    """One process that serves.

    Args:
        reporter: the pipe to the parent, which is told that the worker serves, or why
            it cannot.
        hearts: the workers' hearts, by which the parent sees that they live.
        made: a folder that is removed when the service ends; or empty.
        grpc_address: the address at which each worker takes gRPC; or empty.
    """

    def __init__(
        self,
        reporter: Connection,
        hearts: Hearts,
        made: str,
        grpc_address: str = "",
    ) -> None:
        self._reporter = reporter
        self._hearts = hearts
        self._made = made
        self._grpc_address = grpc_address

    def __call__(
        self,
        index: int,
        listener: socket.socket,
        config: Config,
        pair: Pair | None,
        reading: Reading,
        orders: Connection,
        replaced: int = 0,
    ) -> None:
        """Serve until SIGTERM, which lets requests in hand be answered.

        Args:
            index: the worker's number, from 0 on.
            listener: the worker's own socket.
            config: the settings; they name no file of tokens.
            pair: the pair of key and certificate; None without TLS.
            reading: the words about them.
            orders: the parent's orders about other settings.
            replaced: the number of workers to count as replaced.
        """
        loop = new_loop()
        self._drain_seconds = config.drain_seconds
        asked = asyncio.Event()

        def end() -> None:
            DRAINING.set()
            if not loop.is_closed():
                loop.call_soon_threadsafe(asked.set)

        # A terminal and the parent may both ask; the second time changes nothing.
        hear({signal.SIGTERM: end, signal.SIGINT: end})
        threading.Thread(target=self._end_with_the_parent, daemon=True).start()
        served = self._build(loop, index, config, pair)
        if replaced:
            # The parent has no metrics, and the app has set them up.
            from runtime.telemetry.metrics import WORKERS_REPLACED

            WORKERS_REPLACED.inc(replaced)
        tell(reading)
        threading.Thread(
            target=self._follow, args=(served.following, orders), daemon=True
        ).start()
        # The loop has a thread of its own, because a loop in the main thread would take
        # the signals for itself.
        serve = self._serve(loop, served, index, listener, asked)
        thread = threading.Thread(target=_run, args=(loop, serve), name="front")
        thread.start()
        thread.join()

    def _build(
        self,
        loop: asyncio.AbstractEventLoop,
        index: int,
        config: Config,
        pair: Pair | None,
    ) -> _Served:
        """Build the app; if that fails, tell the parent why, and wait for the end."""
        # An earlier process with this one's number may have left gauges.
        forget_process(os.getpid())
        try:
            from runtime.app import start_services
            from runtime.http.application import create_app
            from runtime.http.routes import Lanes
            from runtime.server.following import Following

            services = start_services(config)
            app = create_app(services, config)
        except DomainError as ex:
            self._reporter.send(Word(os.getpid(), 0, str(ex)[:1000]))
            # The parent hears it, or heard it from another worker, and ends this
            # process. If the process ended by itself, the parent would start another.
            DRAINING.wait()
            sys.exit(1)
        # asyncio's words about a connection that fails go into the service's log.
        its_log = logging.getLogger("asyncio")
        its_log.handlers = logging.getLogger("runtime").handlers
        its_log.setLevel(logging.ERROR)
        others = _FILES
        if self._grpc_address:
            # The import takes memory and time, and needs the extra 'grpc'.
            from runtime.grpc.server import CONNECTIONS as OF_GRPC
            from runtime.grpc.server import GrpcServer

            others += OF_GRPC
        files = _allow_files(CONNECTIONS + others)
        front = Front(
            app,
            app.door,
            loop,
            lane_of=Lanes(base=config.base).lane_of,
            threads=config.threads,
            max_waiting=config.max_queue,
            max_body_bytes=config.max_body_bytes,
            connections=min(CONNECTIONS, max(files - others, files // 2)),
        )
        grpc = None
        if self._grpc_address:
            grpc = GrpcServer(
                config, services, front, self._grpc_address, app.tracing, pair
            )
        certificate = None if pair is None else Certificate(pair)
        following = Following(
            services,
            app,
            front,
            certificate,
            grpc,
            loop,
            # The first worker counts for all.
            is_counting=index == 0,
        )
        return _Served(front, certificate, grpc, following)

    def _follow(self, following: Following, orders: Connection) -> None:
        """Do the parent's orders about settings."""

        def answer(word: Word) -> None:
            self._drain_seconds = following.config.drain_seconds
            self._reporter.send(word)

        following.obey(orders, answer)

    async def _serve(
        self,
        loop: asyncio.AbstractEventLoop,
        served: _Served,
        index: int,
        listener: socket.socket,
        asked: asyncio.Event,
    ) -> None:
        front, grpc = served.front, served.grpc
        context = served.certificate.context if served.certificate else None
        server = await listen(loop, front.connect, listener, context, BACKLOG)
        front.sweep_for_ever()

        def beat() -> None:
            self._hearts.beat(index)
            loop.call_later(LOOK_SECONDS, beat)

        beat()
        if grpc is not None:
            grpc.start()
        self._reporter.send(Word(os.getpid(), 0, ""))
        await asked.wait()
        await asyncio.sleep(_LAST_SECONDS)
        server.close()
        drained = [front.drain()]
        if grpc is not None:
            seconds = self._drain_seconds
            drained.append(asyncio.to_thread(grpc.drain, seconds))
        await asyncio.gather(*drained)

    def _end_with_the_parent(self) -> None:
        """End as after a SIGTERM when the parent has ended, even if it was killed."""
        parent = multiprocessing.parent_process()
        assert parent is not None, "a worker has one"
        parent.join()
        if self._made:
            shutil.rmtree(self._made, ignore_errors=True)
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(self._drain_seconds)
        os.kill(os.getpid(), signal.SIGKILL)


def _run(loop: asyncio.AbstractEventLoop, serve: Any) -> None:
    asyncio.set_event_loop(loop)
    loop.set_exception_handler(_log_failure)
    try:
        loop.run_until_complete(serve)
    finally:
        loop.close()


def _log_failure(loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    """Log what fails in the loop; a client that leaves is no failure."""
    error = context.get("exception")
    is_clients = isinstance(error, (OSError, ssl.SSLError))
    level = logging.DEBUG if is_clients else logging.ERROR
    logger.log(level, "%s", context.get("message"), exc_info=error)


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
