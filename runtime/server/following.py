"""The settings that a worker follows; SIGHUP brings other ones."""

from __future__ import annotations

import asyncio
import functools
import logging
import os
import ssl
import threading
from collections.abc import Callable
from dataclasses import dataclass
from multiprocessing.connection import Connection
from typing import TYPE_CHECKING

from bundle.errors import DomainError
from runtime.access.pair import Pair
from runtime.config import Config
from runtime.server.certificate import Certificate, context_of
from runtime.server.front import Front
from runtime.server.orders import Leave, Order, Prepare, Take, Word
from runtime.services import Services
from runtime.telemetry import reading

if TYPE_CHECKING:
    from runtime.grpc.server import Followed, GrpcServer
    from runtime.http.application import App

logger = logging.getLogger(__name__)

# The network's thread takes new settings between two requests.
_TAKE_SECONDS = 30.0


@dataclass(frozen=True)
class _Prepared:
    services: Services
    app: App
    context: ssl.SSLContext | None
    grpc: Followed | None


class Following:
    """Does the parent's orders about settings, on a thread of its own.

    The parts that follow the settings are built beside those that serve. Then the
    network's thread changes over between two requests, so a request sees old or new
    settings, and never some of both.

    Args:
        services: the service's parts.
        app: the application that serves.
        front: the requests' way into it.
        certificate: the certificate of new connections; None without TLS.
        grpc: the server of the other door; None if it is off.
        loop: the loop of the network's thread.
        is_counting: whether this worker counts the readings of the service.
    """

    def __init__(
        self,
        services: Services,
        app: App,
        front: Front,
        certificate: Certificate | None,
        grpc: GrpcServer | None,
        loop: asyncio.AbstractEventLoop,
        *,
        is_counting: bool,
    ) -> None:
        self._services = services
        self._app = app
        self._front = front
        self._certificate = certificate
        self._grpc = grpc
        self._loop = loop
        self._is_counting = is_counting
        self._prepared: _Prepared | None = None
        self._reopening: threading.Thread | None = None

    @property
    def config(self) -> Config:
        """The settings that hold."""
        return self._services.config

    def obey(self, orders: Connection, answer: Callable[[Word], object]) -> None:
        """Do orders until the parent has ended.

        Args:
            orders: the parent's orders.
            answer: takes the word about each.
        """
        while True:
            try:
                order: Order = orders.recv()
            except (EOFError, OSError):
                return
            refusal = self.do(order)
            if not isinstance(order, Leave):
                answer(Word(os.getpid(), order.number, refusal[:1000]))

    def do(self, order: Order) -> str:
        """Do one order; return why it cannot be done, or an empty text."""
        try:
            if isinstance(order, Prepare):
                self._prepared = self._prepare(order.config, order.pair)
            elif isinstance(order, Take):
                self._take()
                reading.tell(order.reading, is_counted=self._is_counting)
            else:
                self._prepared = None
                reading.tell(order.reading, is_counted=self._is_counting)
        except (DomainError, OSError) as ex:
            return str(ex)
        except Exception:
            logger.exception("new settings cannot be taken")
            return "a worker failed on them, and the lines above say why"
        return ""

    def _prepare(self, config: Config, pair: Pair | None) -> _Prepared:
        from runtime.http.application import create_app

        services = self._services.renewed(config)
        grpc, context = None, None
        if pair is not None:
            context = context_of(pair)
        if self._grpc is not None:
            grpc = self._grpc.prepared(config, services, pair)
        app = create_app(services, config, self._app)
        return _Prepared(services, app, context, grpc)

    def _take(self) -> None:
        prepared, self._prepared = self._prepared, None
        assert prepared is not None, "the parent has it prepared first"
        taken = threading.Event()
        self._loop.call_soon_threadsafe(self._change_over, prepared, taken)
        if not taken.wait(_TAKE_SECONDS):
            raise TimeoutError("the network's thread is busy")
        before = self._services
        self._services, self._app = prepared.services, prepared.app
        self._services.follow()
        # Models are opened anew beside those that serve, which may take a while.
        reopen = functools.partial(_reopen, self._services, before, self._reopening)
        self._reopening = threading.Thread(target=reopen, name="settings", daemon=True)
        self._reopening.start()

    def _change_over(self, prepared: _Prepared, taken: threading.Event) -> None:
        """Change over, in the network's thread."""
        self._front.renew(prepared.app, prepared.app.door)
        if self._certificate is not None and prepared.context is not None:
            self._certificate.take(prepared.context)
        if self._grpc is not None and prepared.grpc is not None:
            self._grpc.take(prepared.grpc)
        taken.set()


def _reopen(
    services: Services, before: Services, earlier: threading.Thread | None
) -> None:
    # The last settings must come last, also if those before them take long.
    if earlier is not None:
        earlier.join()
    services.reopen(before)
