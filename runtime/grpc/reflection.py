"""The service of reflection, by which tools read the messages out of the server."""

from __future__ import annotations

from collections.abc import Iterable

from grpc_reflection.v1alpha import reflection, reflection_pb2

from runtime.access.gate import Access
from runtime.grpc.methods import Method, Service
from runtime.telemetry.journey import Journey
from runtime.wire.protobuf import read_message

_INVALID_ARGUMENT = 3


class Reflection:
    """Answers questions about the door's services by grpcio's own servicer.

    Args:
        names: the names of the other services.
    """

    def __init__(self, names: Iterable[str]) -> None:
        self._servicer = reflection.ReflectionServicer(
            (*names, reflection.SERVICE_NAME)
        )

    @property
    def service(self) -> Service:
        """The service and its one method, a stream."""
        method = Method(
            "ServerReflectionInfo", Access.OPEN, self._answer, _refused, is_quiet=True
        )
        return Service(reflection.SERVICE_NAME, (method,))

    def _answer(self, data: bytes, journey: Journey) -> bytes:
        message = read_message(reflection_pb2.ServerReflectionRequest, data)
        (answer,) = self._servicer.ServerReflectionInfo(iter((message,)), None)
        written: bytes = answer.SerializeToString()
        return written


def _refused(data: bytes, sentence: str) -> bytes:
    """Make the message about a question that is refused."""
    error = reflection_pb2.ErrorResponse(
        error_code=_INVALID_ARGUMENT, error_message=sentence
    )
    written: bytes = reflection_pb2.ServerReflectionResponse(
        error_response=error
    ).SerializeToString()
    return written
