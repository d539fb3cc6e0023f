"""Predictions, classifications and regressions of TensorFlow Serving's API v1."""

from __future__ import annotations

import functools
import re
from collections.abc import Callable
from typing import TypeVar

import falcon
import numpy as np

from bundle.errors import ModelNotFound
from bundle.spec import ModelSpec
from runtime.errors import InvalidInput
from runtime.http.encodings import encoded, read_encoded_body
from runtime.http.environ_keys import PLACES, Environ
from runtime.http.reply import QUICK_NUMBERS, Reply
from runtime.http.resources.predict import Prediction
from runtime.lane import elsewhere
from runtime.prediction.answers import Outputs
from runtime.prediction.predictor import Asked
from runtime.telemetry.journey import Journey, clock
from runtime.wire.tfs.asked import not_found
from runtime.wire.tfs.examples import ExamplesRequest, read_examples
from runtime.wire.tfs.predict import PredictRequest, read_predict
from runtime.wire.tfs.reply import write_classes, write_predictions, write_values
from runtime.wire.tfs.text import EMPTY

# Examples of so many bytes are read within a millisecond.
_QUICK_EXAMPLES = 4096
_NUMBER = re.compile(r"[0-9]+")
_LARGEST = 2**63 - 1

_Request = TypeVar("_Request", bound=Asked)


class _V1Prediction(Prediction):
    """The steps that all three methods take."""

    def _answer(
        self,
        env: Environ,
        journey: Journey,
        read: Callable[[bytes], _Request],
        write: Callable[[_Request, Outputs], bytes],
    ) -> Reply:
        start = clock()
        try:
            if env.get("CONTENT_LENGTH") in (None, "", "0"):
                raise InvalidInput(EMPTY)
            request = read(read_encoded_body(env, self._max_bytes))
        finally:
            journey.laps.append(("decode", start, clock()))
        spec = spec_of(env[PLACES])
        try:
            answer = self._predictor.predict_tensors(spec, request, journey)
        except ModelNotFound as ex:
            raise not_found(spec) from ex
        start = clock()
        try:
            written = functools.partial(write, request, answer)
            is_quick = sum(map(np.size, answer.outputs.values())) <= QUICK_NUMBERS
            body = written() if is_quick else elsewhere(written, journey.model)
            content, more = encoded(env, body)
        finally:
            journey.laps.append(("encode", start, clock()))
        return Reply(content, answer.backend, answer.version, falcon.MEDIA_JSON, more)


class V1Predict(_V1Prediction):
    """``POST /v1/models/{name}:predict``, also of a version or a label."""

    def answer(self, env: Environ, journey: Journey) -> Reply:
        """Answer all outputs, in the form in which the inputs came."""
        return self._answer(env, journey, read_predict, _write_predictions)


class V1Classify(_V1Prediction):
    """``POST /v1/models/{name}:classify``, also of a version or a label."""

    def answer(self, env: Environ, journey: Journey) -> Reply:
        """Answer the label and the score of each class of each example."""
        read = functools.partial(_read_examples, method="classify")
        return self._answer(env, journey, read, _write_classes)


class V1Regress(_V1Prediction):
    """``POST /v1/models/{name}:regress``, also of a version or a label."""

    def answer(self, env: Environ, journey: Journey) -> Reply:
        """Answer one number for each example."""
        read = functools.partial(_read_examples, method="regress")
        return self._answer(env, journey, read, _write_values)


def _read_examples(body: bytes, method: str) -> ExamplesRequest:
    read = functools.partial(read_examples, body, method)
    return read() if len(body) <= _QUICK_EXAMPLES else elsewhere(read)


def _write_predictions(request: PredictRequest, answer: Outputs) -> bytes:
    return write_predictions(request.is_row, answer)


def _write_classes(_: ExamplesRequest, answer: Outputs) -> bytes:
    return write_classes(answer)


def _write_values(_: ExamplesRequest, answer: Outputs) -> bytes:
    return write_values(answer)


def spec_of(places: dict[str, str]) -> ModelSpec:
    """Return the model, and perhaps the version or the label, that a path names.

    Raises:
        HTTPRouteNotFound: a name holds a colon, or the version is no number.
        InvalidInput: the version is beyond any number of a version.
    """
    version = places.get("version")
    if any(":" in place for place in places.values()) or (
        version is not None and not _NUMBER.fullmatch(version)
    ):
        raise falcon.HTTPRouteNotFound
    # Python reads no number of more than some thousand digits.
    if version is not None and (len(version) > 19 or int(version) > _LARGEST):
        raise InvalidInput(f"Failed to convert version: {version[:64]} to numeric.")
    return ModelSpec(
        places["name"],
        None if version is None else int(version),
        places.get("label"),
    )
