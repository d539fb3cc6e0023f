"""The application for servers: ``waitress-serve runtime.app:app``.

``app`` is built from config.json when a server asks for it.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING

from bundle.errors import DomainError
from runtime import walls
from runtime.access.gate import gate_of
from runtime.config import Config, ConfigError, load_settings
from runtime.http.application import App, create_app
from runtime.mirroring import Mirroring
from runtime.preflight import check_config
from runtime.process.drain import drain_under_waitress
from runtime.services import Services, create_services
from runtime.telemetry.logs import set_up_logs

if TYPE_CHECKING:
    app: App

logger = logging.getLogger(__name__)


# Python's threads take turns after this time, under a server of one process.
SWITCH_SECONDS = 1e-5


def get_app(config: Config) -> App:
    """Make the application for a server, over services that have begun their work."""
    return create_app(start_services(config), config)


def start_services(config: Config) -> Services:
    """Make the service's parts, and let them begin.

    The logs are set up and the store is swept. The models of ``preload`` begin to load,
    models without ONNX begin to be converted, and models that another process unloads
    or deletes begin to leave memory.
    """
    set_up_logs(config)
    services = create_services(config)
    services.preloader.start()
    services.sweeper.start()
    services.converter.start()
    return services


def __getattr__(name: str) -> App:
    """Build ``app`` when a server asks for it, and not when a test imports this."""
    if name != "app":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    # In such a server one process has the threads and also reads and writes sockets. A
    # thread whose model has run waits so long for Python's lock, twice a request. The
    # default is 5 ms: with 64 clients waitress answered 128 requests a second, and with
    # this value it answers 1,000.
    sys.setswitchinterval(SWITCH_SECONDS)
    try:
        settings = load_settings()
        config = _without_tls(settings.config)
        doubts = (*settings.doubts, *check_config(config), *_without_grpc(config))
        mirroring = Mirroring(config)
        set_up_logs(config)
        mirroring.start()
        application = get_app(config)
    except DomainError as ex:
        # A server would print a traceback, and its own usage before it.
        sys.exit(f"runtime: {ex}")
    for doubt in (*doubts, gate_of(config).sentence):
        logger.warning("%s", doubt)
    logger.warning("%s", walls.sentence(config.walls, config.run_as_user))
    walls.warn(config.walls)
    drain_under_waitress(config.drain_seconds)
    globals()["app"] = application
    return application


def _without_grpc(config: Config) -> Iterator[str]:
    if config.grpc_port:
        yield "'grpcPort' has no effect here: only `runtime serve` answers gRPC"


def _without_tls(config: Config) -> Config:
    """Refuse a key: a server that runs ``app`` would answer in clear text.

    Raises:
        ConfigError: ``serverKey`` is set.
    """
    if config.server_key:
        raise ConfigError(
            "'serverKey' is set, and only `runtime serve` speaks TLS (waitress-serve"
            " speaks none): start it, or take 'serverKey' and 'serverCrt' out and"
            " put a TLS proxy in front"
        )
    return config
