"""The name that servers are given: ``waitress-serve runtime.app:app``.

``app`` is built from config.json, when a server asks for it.
"""

from __future__ import annotations

import logging
import sys
from typing import TYPE_CHECKING

from bundle.errors import DomainError
from runtime import walls
from runtime.access.gate import gate_of
from runtime.config import Config, ConfigError, load_config
from runtime.http.application import App, create_app
from runtime.preflight import check_config
from runtime.process.drain import drain_under_waitress
from runtime.services import create_services
from runtime.telemetry.logs import set_up_logs

if TYPE_CHECKING:
    app: App

logger = logging.getLogger(__name__)


# Of Python's threads under a server of one process.
SWITCH_SECONDS = 1e-5


def get_app(config: Config) -> App:
    """What a server runs: logs set up, store swept, models loading and converted."""
    set_up_logs(config)
    services = create_services(config)
    services.preloader.start()
    services.converter.start()
    return create_app(services, config)


def __getattr__(name: str) -> App:
    """Build ``app`` when a server asks for it, and not when a test imports this."""
    if name != "app":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    # Such a server's threads are in one process with the one that reads and writes
    # sockets. A thread whose model has run waits for Python's lock as long as this, by
    # default 5 ms, twice a request: under 64 clients waitress answered 128 a second,
    # and so 1,000.
    sys.setswitchinterval(SWITCH_SECONDS)
    try:
        config = _without_tls(load_config())
        doubts = check_config(config)
        application = get_app(config)
    except DomainError as ex:
        # A server would print a traceback, and its own usage over it.
        sys.exit(f"runtime: {ex}")
    for doubt in (*doubts, gate_of(config).sentence):
        logger.warning("%s", doubt)
    logger.warning("%s", walls.sentence(config.walls, config.run_as_user))
    walls.warn(config.walls)
    drain_under_waitress(config.drain_seconds)
    globals()["app"] = application
    return application


def _without_tls(config: Config) -> Config:
    """A server that takes ``app`` takes no key: it would answer in clear text."""
    if config.server_key:
        raise ConfigError(
            "'serverKey' is set, and only `runtime serve` speaks TLS (waitress-serve"
            " speaks none): start that, or take 'serverKey' and 'serverCrt' out and"
            " put a TLS proxy in front"
        )
    return config
