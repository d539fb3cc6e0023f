"""A client of the service's gRPC, which speaks with messages of this project."""

from __future__ import annotations

from types import TracebackType
from typing import Any

import grpc
import numpy as np

from runtime.wire.oip import inference_pb2 as pb
from tests.end_to_end.conftest import PATIENCE

SERVICE = "inference.GRPCInferenceService"
ANSWERS = {
    "ModelInfer": pb.ModelInferResponse,
    "ModelReady": pb.ModelReadyResponse,
    "RepositoryModelLoad": pb.RepositoryModelLoadResponse,
    "ServerReady": pb.ServerReadyResponse,
}


def infer_request(model, **inputs: np.ndarray) -> pb.ModelInferRequest:
    """Make a request with the raw bytes of arrays of float32."""
    message = pb.ModelInferRequest(model_name=model)
    for name, array in inputs.items():
        message.inputs.add(name=name, datatype="FP32", shape=array.shape)
        message.raw_input_contents.append(array.astype(np.float32).tobytes())
    return message


class GrpcClient:
    """A client with a connection of its own.

    Args:
        address: the server's address.
        authority: the certificate that the server's must be signed with, if it speaks
            TLS.
        metadata: what the client sends with each call.
    """

    def __init__(
        self, address: str, authority: bytes | None = None, **metadata: str
    ) -> None:
        # Clients of one process would share a connection.
        options = (("grpc.use_local_subchannel_pool", 1),)
        self.metadata = [(k.replace("_", "-"), v) for k, v in metadata.items()]
        if authority is None:
            self.channel = grpc.insecure_channel(address, options)
        else:
            credentials = grpc.ssl_channel_credentials(authority)
            self.channel = grpc.secure_channel(address, credentials, options)

    def __enter__(self) -> GrpcClient:
        """Return the client itself."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close the connection."""
        self.channel.close()

    def ask(self, method: str, message: Any, **given: Any) -> Any:
        """Ask a method; bytes are sent as they are."""
        call = self.channel.unary_unary(
            f"/{SERVICE}/{method}", None, ANSWERS[method].FromString
        )
        data = message if isinstance(message, bytes) else message.SerializeToString()
        given = {"timeout": PATIENCE, "metadata": self.metadata, **given}
        return call(data, **given)

    def refusal(self, method: str, message: Any, **given: Any) -> tuple[str, str]:
        """Ask a method that refuses; return the status and the sentence."""
        try:
            self.ask(method, message, **given)
        except grpc.RpcError as ex:
            return ex.code().name, ex.details()
        raise AssertionError(f"{method} was answered")

    def stream(self, requests: Any, **given: Any) -> Any:
        """Open a stream of inferences."""
        call = self.channel.stream_stream(
            f"/{SERVICE}/ModelStreamInfer",
            pb.ModelInferRequest.SerializeToString,
            pb.ModelStreamInferResponse.FromString,
        )
        return call(requests, **{"timeout": PATIENCE, **given})
