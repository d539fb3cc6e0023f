"""The server: grpcio's own, on threads beside the front, at one port of all workers."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from typing import NamedTuple

import grpc

from runtime.access.gate import gate_of
from runtime.access.pair import Pair
from runtime.config import Config
from runtime.grpc.arrivals import Arrivals
from runtime.grpc.calls import Calls
from runtime.grpc.health import Health
from runtime.grpc.inference import Inference
from runtime.grpc.lane import Lane, OrTheirs
from runtime.grpc.methods import Service
from runtime.grpc.places import Places
from runtime.grpc.reflection import Reflection
from runtime.grpc.serving import Serving
from runtime.grpc.threads import Threads
from runtime.process.drain import DRAINING
from runtime.services import Services
from runtime.telemetry.tracing import Tracing

# The threads of a worker while all calls are quick; there is a worker for each core.
BUSY = 2
# The most calls whose messages are taken at a time.
CALLS = 16
# The most streams at a time. Each keeps a thread, even while it waits for its client.
STREAMS = 16
# The most calls at a time of methods that anybody may ask, and the most such streams.
# They stand beside those of the clients that may predict.
OPEN_CALLS = 8
_THREADS = CALLS + STREAMS + 2 * OPEN_CALLS
# HTTP/2 lets a client have so many calls on one connection.
_CALLS_OF_A_CONNECTION = 128
# The most connections; the process's files are shared with HTTP.
CONNECTIONS = 1024
# A client has so many seconds for the handshakes of TLS and of HTTP/2.
_HANDSHAKE_MILLISECONDS = 10_000
# A connection without a call is closed after this time; its client opens another one.
_IDLE_MILLISECONDS = 300_000
# A connection that is idle for so long is asked whether its client is still there.
_KEEPALIVE_MILLISECONDS = 60_000
# The server looks for messages that do not come once in so many seconds.
_SWEEP_SECONDS = 1.0


def services_of(services: Services, lane: Lane) -> tuple[Service, ...]:
    """Return the services of the door: those of models, and those about the door."""
    readiness = services.readiness()
    inference = Inference(services, readiness, lane).service
    of_models = (inference, *Serving(services, lane).services)
    health = Health(readiness, [service.name for service in of_models]).service
    names = [service.name for service in (*of_models, health)]
    return (*of_models, health, Reflection(names).service)


class Followed(NamedTuple):
    """The parts of the server that follow the settings.

    Attributes:
        handlers: the handler of each method, by its path.
        pair: the key and the certificate of new connections; None without TLS.
    """

    handlers: Mapping[str, grpc.RpcMethodHandler]
    pair: grpc.ServerCertificateConfiguration | None


class _Handlers(grpc.GenericRpcHandler):  # type: ignore[misc]
    """Finds the handler of each call anew, because other settings may hold."""

    def __init__(self, find: Callable[[str], grpc.RpcMethodHandler | None]) -> None:
        self._find = find

    def service(
        self, handler_call_details: grpc.HandlerCallDetails
    ) -> grpc.RpcMethodHandler | None:
        return self._find(handler_call_details.method)


class GrpcServer:
    """The door's server in one worker.

    Args:
        config: the settings.
        services: the service's parts.
        lane: the thread of all requests.
        address: the address and the port at which all workers listen, as grpcio has it.
        tracing: the tracing that makes spans; None if it is off.
        pair: the pair of key and certificate; None without TLS.
    """

    def __init__(
        self,
        config: Config,
        services: Services,
        lane: Lane,
        address: str,
        tracing: Tracing | None,
        pair: Pair | None,
    ) -> None:
        threads = Threads(BUSY, _THREADS)
        self._places = Places(STREAMS, OPEN_CALLS, threads.apart)
        self._arrivals = Arrivals()
        self._lane = OrTheirs(lane)
        self._tracing = tracing
        self._server = grpc.server(
            threads,
            options=(
                ("grpc.so_reuseport", 1),
                ("grpc.max_receive_message_length", config.max_body_bytes),
                ("grpc.max_send_message_length", -1),
                ("grpc.max_concurrent_streams", _CALLS_OF_A_CONNECTION),
                ("grpc.max_allowed_incoming_connections", CONNECTIONS),
                ("grpc.server_handshake_timeout_ms", _HANDSHAKE_MILLISECONDS),
                ("grpc.max_connection_idle_ms", _IDLE_MILLISECONDS),
                ("grpc.keepalive_time_ms", _KEEPALIVE_MILLISECONDS),
                # Clients ask less often than this whether the server is there.
                ("grpc.http2.min_ping_interval_without_data_ms", 5_000),
            ),
            maximum_concurrent_rpcs=_THREADS + config.max_queue,
        )
        self._followed = self.prepared(config, services, pair)
        self._server.add_generic_rpc_handlers((_Handlers(self._handler_of),))
        if self._followed.pair is not None:
            credentials = grpc.dynamic_ssl_server_credentials(
                self._followed.pair, lambda: self._followed.pair
            )
            self._server.add_secure_port(address, credentials)
        else:
            self._server.add_insecure_port(address)

    def prepared(
        self, config: Config, services: Services, pair: Pair | None
    ) -> Followed:
        """Make the handlers of all methods for given settings; none is used yet."""
        calls = Calls(
            gate_of(config),
            services.limiter,
            config.timeout_ms,
            self._places,
            self._tracing,
            self._arrivals,
        )
        handlers = {
            f"/{service.name}/{method.name}": calls.handler_of(service.name, method)
            for service in services_of(services, self._lane)
            for method in service.methods
        }
        shown = pair and grpc.ssl_server_certificate_configuration([tuple(pair)])
        return Followed(handlers, shown)

    def take(self, followed: Followed) -> None:
        """Answer new calls and connections by other settings; see ``prepared``."""
        self._followed = followed

    def _handler_of(self, path: str) -> grpc.RpcMethodHandler | None:
        return self._followed.handlers.get(path)

    def start(self) -> None:
        """Begin to take calls."""
        self._server.start()
        threading.Thread(target=self._sweep, name="grpc sweep", daemon=True).start()

    def _sweep(self) -> None:
        while not DRAINING.wait(_SWEEP_SECONDS):
            self._arrivals.sweep()

    def drain(self, seconds: float) -> None:
        """Refuse new calls, and wait until those in hand are answered.

        Args:
            seconds: the time after which the process is killed. Calls that are not
                answered a little earlier, or whose client takes no reply, are given up.
        """
        stopped = self._server.stop(max(seconds - 1.0, seconds / 2))
        self._arrivals.end()
        stopped.wait()
