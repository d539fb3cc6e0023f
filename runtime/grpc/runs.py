"""The predictions of all services of the door, on their way into the lane."""

from __future__ import annotations

from bundle.spec import ModelSpec
from runtime.grpc.lane import Lane
from runtime.prediction.answers import Outputs
from runtime.prediction.predictor import Asked, Predictor
from runtime.telemetry.journey import CURRENT, Journey


class Runs:
    """Runs predictions in the thread that answers all requests.

    Args:
        predictor: the predictor.
        lane: the lane in which predictions run.
    """

    def __init__(self, predictor: Predictor, lane: Lane) -> None:
        self._predictor = predictor
        self._lane = lane

    def predict(
        self, spec: ModelSpec, request: Asked, journey: Journey, size: int
    ) -> Outputs:
        """Answer a request; see ``Predictor.predict_tensors``.

        Args:
            spec: the model.
            request: the request, which makes the model's inputs.
            journey: the request's journey.
            size: the bytes of its message.
        """

        def predict() -> Outputs:
            CURRENT.set(journey)  # this may be another thread
            return self._predictor.predict_tensors(spec, request, journey)

        # No model's name starts with "/", so what is large waits by a key of its own.
        return self._lane.ask(predict, journey.deadline, size, f"/{spec.name}")
