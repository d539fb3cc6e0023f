"""The service ``grpc.health.v1.Health``, which says the same as ``/readyz``."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

from grpc_health.v1 import health_pb2

from bundle.errors import ModelNotFound
from runtime.access.gate import Access
from runtime.grpc.methods import Method, Service, Watched
from runtime.models.readiness import Readiness
from runtime.telemetry.journey import Journey
from runtime.wire.protobuf import read_message

_NAME = health_pb2.DESCRIPTOR.services_by_name["Health"].full_name
_Status = health_pb2.HealthCheckResponse.ServingStatus


class Health:
    """Answers whether the service should get requests.

    Args:
        readiness: the reasons why it should get none.
        names: the services that clients may ask about; an empty name is the whole.
    """

    def __init__(self, readiness: Readiness, names: Iterable[str]) -> None:
        self._readiness = readiness
        self._names = frozenset(("", _NAME, *names))

    @property
    def service(self) -> Service:
        """The service and its methods."""
        return Service(
            _NAME,
            (
                Method("Check", Access.OPEN, self._check, is_quiet=True),
                Watched("Watch", Access.OPEN, self._follow, is_quiet=True),
            ),
        )

    def _check(self, data: bytes, journey: Journey) -> bytes:
        name = read_message(health_pb2.HealthCheckRequest, data).service
        if name not in self._names:
            raise ModelNotFound(f"there is no service {name[:128]!r}")
        return self._message()

    def _follow(self, data: bytes, waits: Callable[[], bool]) -> Iterator[bytes]:
        name = read_message(health_pb2.HealthCheckRequest, data).service
        if name not in self._names:
            # The protocol wants this here in place of an error.
            unknown = health_pb2.HealthCheckResponse(status=_Status.SERVICE_UNKNOWN)
            yield unknown.SerializeToString()
            while waits():
                pass
            return
        known = b""
        is_wanted = True
        while is_wanted:
            message = self._message()
            if message != known:
                yield message
                known = message
            is_wanted = waits()
        if (message := self._message()) != known:
            yield message

    def _message(self) -> bytes:
        is_ready = not self._readiness.reasons()
        status = _Status.SERVING if is_ready else _Status.NOT_SERVING
        written: bytes = health_pb2.HealthCheckResponse(
            status=status
        ).SerializeToString()
        return written
