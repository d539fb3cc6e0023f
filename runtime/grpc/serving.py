"""TensorFlow Serving's services ``PredictionService`` and ``ModelService``."""

from __future__ import annotations

from bundle.errors import ModelNotFound
from runtime.access.gate import Access
from runtime.grpc.lane import Lane
from runtime.grpc.methods import Method, Service
from runtime.grpc.runs import Runs
from runtime.services import Services
from runtime.telemetry.journey import Journey, clock
from runtime.wire.protobuf import read_message, to_bytes
from runtime.wire.tfs import serving_pb2 as pb
from runtime.wire.tfs.asked import not_found
from runtime.wire.tfs.messages import (
    check_fields,
    read_predict_message,
    spec_of,
    write_metadata,
    write_predict_message,
    write_status,
)
from runtime.wire.tfs.metadata import states_of


class Serving:
    """Answers the messages of both services.

    Args:
        services: the service's parts.
        lane: the lane in which predictions run.
    """

    def __init__(self, services: Services, lane: Lane) -> None:
        self._registry = services.registry
        self._repository = services.repository
        self._runs = Runs(services.predictor, lane)

    @property
    def services(self) -> tuple[Service, Service]:
        """The services and their methods."""
        return (
            Service(
                "tensorflow.serving.PredictionService",
                (
                    Method("Predict", Access.READ, self._predict),
                    Method("GetModelMetadata", Access.READ, self._metadata),
                ),
            ),
            Service(
                "tensorflow.serving.ModelService",
                (Method("GetModelStatus", Access.READ, self._status),),
            ),
        )

    def _predict(self, data: bytes, journey: Journey) -> bytes:
        start = clock()
        try:
            message = read_message(pb.PredictRequest, data)
            spec = spec_of(message)
            request = read_predict_message(message)
        finally:
            journey.laps.append(("decode", start, clock()))
        try:
            answer = self._runs.predict(spec, request, journey, len(data))
        except ModelNotFound as ex:
            raise not_found(spec) from ex
        start = clock()
        try:
            return to_bytes(write_predict_message(spec.name, request, answer))
        finally:
            journey.laps.append(("encode", start, clock()))

    def _metadata(self, data: bytes, journey: Journey) -> bytes:
        message = read_message(pb.GetModelMetadataRequest, data)
        spec = spec_of(message)
        check_fields(message.metadata_field)
        try:
            model = self._registry.get(spec)
        except ModelNotFound as ex:
            raise not_found(spec) from ex
        return to_bytes(write_metadata(spec.name, model))

    def _status(self, data: bytes, journey: Journey) -> bytes:
        message = read_message(pb.GetModelStatusRequest, data)
        return to_bytes(write_status(states_of(self._repository, spec_of(message))))
