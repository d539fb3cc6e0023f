"""The service ``inference.GRPCInferenceService``: the protocol and Triton's part."""

from __future__ import annotations

import contextlib
from typing import Any

from google.protobuf.message import DecodeError

from bundle.errors import ModelNotFound
from bundle.spec import ModelSpec
from runtime.access.gate import Access
from runtime.grpc.lane import Lane
from runtime.grpc.methods import Method, Service
from runtime.grpc.runs import Runs
from runtime.models.readiness import Readiness
from runtime.services import Services
from runtime.telemetry.journey import Journey, clock
from runtime.wire.oip import inference_pb2 as pb
from runtime.wire.oip.asked import spec_of
from runtime.wire.oip.messages import read_infer, write_infer
from runtime.wire.oip.metadata import (
    all_statistics,
    check_load,
    check_repository,
    config_of,
    index_of,
    metadata_of,
    server_metadata,
)
from runtime.wire.protobuf import read_message, to_bytes

NAME = "inference.GRPCInferenceService"

# A client of Triton's streams asks so for the word that an answer is the last.
_FINAL = "triton_enable_empty_final_response"
# Triton has no name for some dtypes, such as complex ones.
_DATA_TYPES = frozenset(pb.DataType.keys())


class Inference:
    """Answers the messages of the service.

    Args:
        services: the service's parts.
        readiness: the reasons why the service should get no requests.
        lane: the lane in which predictions run.
    """

    def __init__(self, services: Services, readiness: Readiness, lane: Lane) -> None:
        self._services = services
        self._repository = services.repository
        self._readiness = readiness
        self._runs = Runs(services.predictor, lane)

    @property
    def service(self) -> Service:
        """The service and its methods."""
        read, write = Access.READ, Access.WRITE
        return Service(
            NAME,
            (
                Method("ServerLive", Access.OPEN, self._live, is_quiet=True),
                Method("ServerReady", Access.OPEN, self._ready, is_quiet=True),
                Method("ModelReady", read, self._model_ready),
                Method("ServerMetadata", read, self._metadata),
                Method("ModelMetadata", read, self._model_metadata),
                Method("ModelInfer", read, self._infer),
                Method("ModelStreamInfer", read, self._stream_infer, _refused),
                Method("ModelConfig", read, self._config),
                Method("ModelStatistics", read, self._statistics),
                Method("RepositoryIndex", read, self._index),
                Method("RepositoryModelLoad", write, self._load),
                Method("RepositoryModelUnload", write, self._unload),
            ),
        )

    # -- inferences --------------------------------------------------------------------

    def _infer(self, data: bytes, journey: Journey) -> bytes:
        message = read_message(pb.ModelInferRequest, data)
        return to_bytes(self._answer(message, len(data), journey))

    def _stream_infer(self, data: bytes, journey: Journey) -> bytes:
        message = read_message(pb.ModelInferRequest, data)
        answer = self._answer(message, len(data), journey)
        if _FINAL in message.parameters and message.parameters[_FINAL].bool_param:
            # Each request has one answer, which is also the last.
            answer.parameters["triton_final_response"].bool_param = True
        return to_bytes(pb.ModelStreamInferResponse(infer_response=answer))

    def _answer(
        self, message: pb.ModelInferRequest, size: int, journey: Journey
    ) -> pb.ModelInferResponse:
        start = clock()
        try:
            request = read_infer(message)
            spec = spec_of(message.model_name, message.model_version)
        finally:
            journey.laps.append(("decode", start, clock()))
        journey.hasten(request.microseconds)
        answer = self._runs.predict(spec, request, journey, size)
        start = clock()
        try:
            return write_infer(spec.name, request, answer)
        finally:
            journey.laps.append(("encode", start, clock()))

    # -- the server and its models -----------------------------------------------------

    def _live(self, data: bytes, journey: Journey) -> bytes:
        return to_bytes(pb.ServerLiveResponse(live=True))

    def _ready(self, data: bytes, journey: Journey) -> bytes:
        return to_bytes(pb.ServerReadyResponse(ready=not self._readiness.reasons()))

    def _metadata(self, data: bytes, journey: Journey) -> bytes:
        return to_bytes(pb.ServerMetadataResponse(**server_metadata()))

    def _model_ready(self, data: bytes, journey: Journey) -> bytes:
        spec = _spec(read_message(pb.ModelReadyRequest, data))
        try:
            is_ready = not self._repository.reason(spec)
        except ModelNotFound:
            # Clients ask again and again until a model is there. Triton says so, too.
            is_ready = False
        return to_bytes(pb.ModelReadyResponse(ready=is_ready))

    def _model_metadata(self, data: bytes, journey: Journey) -> bytes:
        spec = _spec(read_message(pb.ModelMetadataRequest, data))
        model = self._services.registry.get(spec)
        found = metadata_of(spec.name, self._repository.versions(spec), model)
        return to_bytes(pb.ModelMetadataResponse(**found))

    def _config(self, data: bytes, journey: Journey) -> bytes:
        spec = _spec(read_message(pb.ModelConfigRequest, data))
        config = config_of(spec.name, self._services.registry.get(spec))
        for one in (*config["input"], *config["output"]):
            if one["data_type"] not in _DATA_TYPES:
                one["data_type"] = "TYPE_INVALID"
        return to_bytes(pb.ModelConfigResponse(config=config))

    def _statistics(self, data: bytes, journey: Journey) -> bytes:
        message = read_message(pb.ModelStatisticsRequest, data)
        spec = _spec(message) if message.name else None
        found = all_statistics(self._repository, spec)
        return to_bytes(pb.ModelStatisticsResponse(model_stats=found))

    # -- the repository ----------------------------------------------------------------

    def _index(self, data: bytes, journey: Journey) -> bytes:
        message = read_message(pb.RepositoryIndexRequest, data)
        models = index_of(self._repository, message.ready)
        return to_bytes(pb.RepositoryIndexResponse(models=models))

    def _load(self, data: bytes, journey: Journey) -> bytes:
        message = read_message(pb.RepositoryModelLoadRequest, data)
        check_repository(message.repository_name)
        check_load(message.parameters)
        self._repository.load(message.model_name)
        return to_bytes(pb.RepositoryModelLoadResponse())

    def _unload(self, data: bytes, journey: Journey) -> bytes:
        # No model depends on another one, so ``unload_dependents`` means nothing here.
        message = read_message(pb.RepositoryModelUnloadRequest, data)
        check_repository(message.repository_name)
        self._repository.unload(message.model_name)
        return to_bytes(pb.RepositoryModelUnloadResponse())


def _refused(data: bytes, sentence: str) -> bytes:
    """Make the message of a stream about a request that is refused; it has its id."""
    message = pb.ModelStreamInferResponse(error_message=sentence)
    with contextlib.suppress(DecodeError):
        message.infer_response.id = pb.ModelInferRequest.FromString(data).id
    return to_bytes(message)


def _spec(message: Any) -> ModelSpec:
    return spec_of(message.name, message.version)
