"""The server: grpcio's own, on threads beside the front, at one port of all workers."""

from __future__ import annotations

from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import grpc

from runtime.access.gate import gate_of
from runtime.config import Config
from runtime.grpc.calls import Calls
from runtime.grpc.health import Health
from runtime.grpc.inference import Inference
from runtime.grpc.lane import Lane
from runtime.grpc.methods import Service
from runtime.grpc.reflection import Reflection
from runtime.models.readiness import Readiness
from runtime.services import Services

# The most calls whose messages are taken at a time. Their threads wait for the front,
# which runs what they bring together.
CALLS = 16
# The most streams at a time. Each keeps a thread, even while it waits for its client.
STREAMS = 32
# HTTP/2 lets a client have so many calls on one connection.
_CALLS_OF_A_CONNECTION = 128
# A connection that is idle for so long is asked whether its client is still there.
_KEEPALIVE_MILLISECONDS = 60_000
# The last reply leaves the process within this time after it was made.
_LAST_SECONDS = 0.1


def services_of(services: Services, lane: Lane) -> tuple[Service, ...]:
    """Return the services of the door: those of models, and those about the door."""
    readiness = Readiness(services.store, services.preloader)
    of_models = (Inference(services, readiness, lane).service,)
    names = [service.name for service in of_models]
    health = Health(readiness, names).service
    return (*of_models, health, Reflection((*names, health.name)).service)


class GrpcServer:
    """The door's server in one worker.

    Args:
        config: the settings.
        services: the service's parts.
        lane: the thread of all requests.
        address: the address and the port at which all workers listen, as grpcio has it.
    """

    def __init__(
        self, config: Config, services: Services, lane: Lane, address: str
    ) -> None:
        self._calls = Calls(
            gate_of(config), services.limiter, config.timeout_ms, STREAMS
        )
        self._server = grpc.server(
            ThreadPoolExecutor(CALLS + STREAMS, "grpc"),
            options=(
                ("grpc.so_reuseport", 1),
                ("grpc.max_receive_message_length", config.max_body_bytes),
                ("grpc.max_send_message_length", -1),
                ("grpc.max_concurrent_streams", _CALLS_OF_A_CONNECTION),
                ("grpc.keepalive_time_ms", _KEEPALIVE_MILLISECONDS),
                # Clients ask less often than this whether the server is there.
                ("grpc.http2.min_ping_interval_without_data_ms", 5_000),
            ),
            maximum_concurrent_rpcs=CALLS + STREAMS + config.max_queue,
        )
        self._add(services_of(services, lane))
        if config.server_key:
            pair = (
                Path(config.server_key).read_bytes(),
                Path(config.server_crt).read_bytes(),
            )
            credentials = grpc.ssl_server_credentials([pair])
            self._server.add_secure_port(address, credentials)
        else:
            self._server.add_insecure_port(address)

    def _add(self, services: Iterable[Service]) -> None:
        for service in services:
            handlers = {
                method.name: self._calls.handler_of(service.name, method)
                for method in service.methods
            }
            self._server.add_generic_rpc_handlers(
                (grpc.method_handlers_generic_handler(service.name, handlers),)
            )

    def start(self) -> None:
        """Begin to take calls."""
        self._server.start()

    def drain(self, seconds: float) -> None:
        """Refuse new calls, and wait so long until those in hand are answered."""
        self._server.stop(seconds)
        self._calls.wait_until_idle(seconds)
        self._server.stop(_LAST_SECONDS).wait()
