"""The service of reflection, by which tools read the messages out of the server."""

from __future__ import annotations

from collections.abc import Iterable

from google.protobuf.descriptor import FileDescriptor
from google.protobuf.descriptor_pb2 import DescriptorProto, FileDescriptorProto
from google.protobuf.descriptor_pool import DescriptorPool
from grpc_health.v1 import health_pb2
from grpc_reflection.v1alpha import reflection, reflection_pb2

from runtime.access.gate import Access
from runtime.grpc.methods import Method, Service
from runtime.telemetry.journey import Journey
from runtime.wire.oip import inference_pb2
from runtime.wire.protobuf import read_message, to_bytes
from runtime.wire.tfs import serving_pb2

_INVALID_ARGUMENT = 3


# The packages of messages that have another name here than on the wire.
_PACKAGES = {
    "tfaas.serving": "tensorflow.serving",
    "tfaas.programs.tensorflow": "tensorflow",
}


class Reflection:
    """Answers questions about the door's services by grpcio's own servicer.

    Args:
        names: the names of the other services.
    """

    def __init__(self, names: Iterable[str]) -> None:
        files = (
            *(inference_pb2.DESCRIPTOR, serving_pb2.DESCRIPTOR),
            *(health_pb2.DESCRIPTOR, reflection_pb2.DESCRIPTOR),
        )
        self._servicer = reflection.ReflectionServicer(
            (*names, reflection.SERVICE_NAME), _pool_of(files)
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
        return to_bytes(answer)


def _pool_of(files: Iterable[FileDescriptor]) -> DescriptorPool:
    """Make a pool of files and all that they import, under their names on the wire."""
    pool = DescriptorPool()
    known: set[str] = set()

    def add(file: FileDescriptor) -> None:
        if file.name in known:
            return
        known.add(file.name)
        for imported in file.dependencies:
            add(imported)
        content = FileDescriptorProto()
        file.CopyToProto(content)
        content.package = _PACKAGES.get(content.package, content.package)
        for message in content.message_type:
            _rename_types(message)
        for service in content.service:
            for method in service.method:
                method.input_type = _on_the_wire(method.input_type)
                method.output_type = _on_the_wire(method.output_type)
        pool.Add(content)

    for file in files:
        add(file)
    return pool


def _rename_types(message: DescriptorProto) -> None:
    for field in message.field:
        if field.type_name:
            field.type_name = _on_the_wire(field.type_name)
    for nested in message.nested_type:
        _rename_types(nested)


def _on_the_wire(name: str) -> str:
    """Return the full name of a message on the wire, such as ``.tensorflow.X``."""
    for package, original in _PACKAGES.items():
        if name.startswith(f".{package}."):
            return f".{original}{name.removeprefix(f'.{package}')}"
    return name


def _refused(data: bytes, sentence: str) -> bytes:
    """Make the message about a question that is refused."""
    error = reflection_pb2.ErrorResponse(
        error_code=_INVALID_ARGUMENT, error_message=sentence
    )
    return to_bytes(reflection_pb2.ServerReflectionResponse(error_response=error))
