"""The way of a picture to a model, for people who look at it."""

from __future__ import annotations

from base64 import b64encode
from typing import Any, TypedDict

from bundle.errors import ImageError
from runtime.errors import InvalidInput
from runtime.http.body import read_parts, texts_of
from runtime.http.environ_keys import Environ
from runtime.http.query import TOP, read_spec, read_top
from runtime.http.reply import Reply, to_json
from runtime.http.resources.predict import TEXTS, Prediction, check_files
from runtime.prediction.class_labels import Label, best_labels
from runtime.prediction.explanation import ExplainedTensor
from runtime.telemetry.journey import Journey, clock


class ExplainedStep(TypedDict):
    """The picture after one step.

    Attributes:
        name: the step's name.
        shape: ``(H, W, C)``.
        png: the picture as PNG in base64, at most 256 pixels a side.
    """

    name: str
    shape: tuple[int, ...]
    png: str


class ExplainedImage(TypedDict):
    """The way of a picture to the model, and its answer.

    Attributes:
        steps: the picture after each step.
        tensor: the item that the model got, in numbers.
        probabilities: the model's answer.
        labels: the best labels; empty if the model answers something else than scores.
    """

    steps: list[ExplainedStep]
    tensor: ExplainedTensor
    probabilities: Any
    labels: list[Label]


class ExplainImage(Prediction):
    """``POST /explain/image``: the form of ``/predict/image``, with one image."""

    def answer(self, env: Environ, journey: Journey) -> Reply:
        """Answer the picture after each step, the model's input, and its scores.

        ``labels`` is empty if the model answers something else than scores.
        """
        start = clock()
        try:
            parts = read_parts(env, self._max_bytes, "image")
        finally:
            journey.laps.append(("decode", start, clock()))
        images = parts.pop("image")
        given = texts_of(parts, TEXTS)
        if len(images) > 1:
            raise InvalidInput(
                f"the form has {len(images)} images; send one, or ask /predict/image"
            )
        spec, top = read_spec(env, given, self._names), read_top(env, given)
        try:
            explained = self._predictor.explain_image(spec, images[0].data, journey)
        except ImageError as ex:
            check_files(images, ex)
            raise
        start = clock()
        try:
            answer = explained.scores
            (scores,) = answer.scores
            labels = (
                best_labels(
                    scores, answer.labels, top or TOP, may_lack=answer.answers_labels
                )
                if scores.ndim == 1
                else []
            )
            reply = ExplainedImage(
                steps=[
                    ExplainedStep(
                        name=step.name,
                        shape=step.shape,
                        png=b64encode(step.png).decode(),
                    )
                    for step in explained.steps
                ],
                tensor=explained.tensor,
                probabilities=scores,
                labels=labels,
            )
            body = to_json(reply)
        finally:
            journey.laps.append(("encode", start, clock()))
        return Reply(body, answer.backend, answer.version)
