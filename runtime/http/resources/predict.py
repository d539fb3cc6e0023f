"""Predictions of images, of rows of numbers and texts, and of any inputs."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, NotRequired, TypedDict

import falcon

from bundle.errors import ImageError
from bundle.spec import ModelSpec
from runtime.errors import InvalidInput
from runtime.http.body import (
    read_body,
    read_json,
    read_parts,
    texts_of,
)
from runtime.http.environ_keys import JOURNEY, PLACES, Environ
from runtime.http.plain_form import Part
from runtime.http.query import (
    LABELS,
    TOP,
    Names,
    prefers_labels,
    read_spec,
    read_top,
)
from runtime.http.reply import Reply, headers_of, to_json
from runtime.prediction.answers import Scores
from runtime.prediction.class_labels import Label, best_labels, name_scores
from runtime.prediction.predictor import Predictor
from runtime.prediction.rows import read_rows
from runtime.telemetry.journey import Journey, clock
from runtime.wire.tfaas import read_row, write_predictions

PROTOBUF = "application/x-protobuf"

_FILE_NAME = re.compile(rb"[\w ./~+-]{1,200}\.\w{1,5}")


class ImageLabels(TypedDict):
    """An image's best labels, with TFaaS's names of the keys."""

    filename: str
    labels: list[Label]


class ImageForm(TypedDict):
    """A form with pictures, and the model that is asked.

    Attributes:
        image: the picture's file; several are sent as several fields.
        model: the model's name.
        version: the version's number.
        label: a label of the version.
        top: the number of labels that are answered.
    """

    image: list[bytes]
    model: NotRequired[str]
    version: NotRequired[int]
    label: NotRequired[str]
    top: NotRequired[int]


# The fields of a form that are texts.
TEXTS = ImageForm.__annotations__.keys() - {"image"}


class JsonRequest(TypedDict, total=False):
    """Rows of numbers and texts, or inputs by name, and the model that is asked.

    Attributes:
        keys: the names of a row's values.
        values: a row, or a list of rows; null is a value that is missing.
        inputs: the model's inputs by name, as nested lists.
        model: the model's name.
        name: the same as ``model``.
        version: the version's number.
        label: a label of the version.
        key: it is not used.
    """

    keys: list[str] | None
    values: list[Any] | None
    inputs: dict[str, Any] | None
    model: str | None
    name: str | None
    version: int | None
    label: str | None
    key: Any


class JsonOutputs(TypedDict):
    """The answer to inputs by name.

    Attributes:
        outputs: all outputs by name, as nested lists.
    """

    outputs: Mapping[str, Any]


class Prediction:
    """A resource that answers predictions, through Falcon or without it.

    Args:
        predictor: the predictor.
        max_bytes: the most bytes of a body.
        names: the names of the store's models; see ``read_spec``.
    """

    def __init__(self, predictor: Predictor, max_bytes: int, names: Names) -> None:
        self._predictor = predictor
        self._max_bytes = max_bytes
        self._names = names

    def answer(self, env: Environ, journey: Journey) -> Reply:
        """Answer a POST request.

        Args:
            env: the request's environ.
            journey: the request's journey.
        """
        raise NotImplementedError

    def on_post(
        self, req: falcon.Request, resp: falcon.Response, **places: str
    ) -> None:
        """Answer a request that came through Falcon.

        Args:
            req: the request.
            resp: its answer.
            places: the texts of the path in place of the route's names in braces.
        """
        req.env[PLACES] = places
        reply = self.answer(req.env, req.env[JOURNEY])
        resp.data = reply.body
        headers = headers_of(reply.content_type, reply.backend, reply.version)
        resp.set_headers(headers + reply.more)


class PredictImage(Prediction):
    """``POST /predict/image``: multipart fields ``image``, once or more, and ``model``.

    ``version``, ``label`` and ``top`` are fields too. All of them but the image may
    stand in the query.
    """

    def answer(self, env: Environ, journey: Journey) -> Reply:
        """Answer an array of probabilities, one a label, or the best labels.

        The answer to several images is an array of such answers.
        """
        start = clock()
        try:
            parts = read_parts(env, self._max_bytes, "image")
        finally:
            journey.laps.append(("decode", start, clock()))
        images = parts.pop("image")
        given = texts_of(parts, TEXTS)
        spec, top = read_spec(env, given, self._names), read_top(env, given)
        wants_labels = prefers_labels(env)
        try:
            prediction = self._predictor.predict_images(
                spec, [image.data for image in images], journey
            )
        except ImageError as ex:
            check_files(images, ex)
            raise
        start = clock()
        try:
            answers: Any = prediction.scores
            if top or wants_labels or prediction.answers_labels:
                answers = _image_labels(images, prediction, top or TOP)
            body = to_json(answers if len(images) > 1 else answers[0])
        finally:
            journey.laps.append(("encode", start, clock()))
        return Reply(
            body,
            prediction.backend,
            prediction.version,
            LABELS if wants_labels else falcon.MEDIA_JSON,
        )


class PredictJson(Prediction):
    """``POST /predict/json``: keys and values, or inputs by name, and the model.

    The content type does not matter, as in TFaaS.
    """

    def answer(self, env: Environ, journey: Journey) -> Reply:
        """Answer an array of floats, or an array of such arrays for several rows.

        The answer to inputs by name has all outputs by name.
        """
        start = clock()
        try:
            content = read_json(env, self._max_bytes)
        finally:
            journey.laps.append(("decode", start, clock()))
        _check_json(content)
        spec = read_spec(env, _json_texts(content), self._names)
        if content.get("inputs") is not None:
            return self._answer_inputs(spec, content["inputs"], journey)
        return self._answer_rows(spec, content, journey)

    def _answer_inputs(
        self, spec: ModelSpec, inputs: dict[str, Any], journey: Journey
    ) -> Reply:
        answer = self._predictor.predict_inputs(spec, inputs, journey)
        start = clock()
        try:
            body = to_json(JsonOutputs(outputs=answer.outputs))
        finally:
            journey.laps.append(("encode", start, clock()))
        return Reply(body, answer.backend, answer.version)

    def _answer_rows(
        self, spec: ModelSpec, content: dict[str, Any], journey: Journey
    ) -> Reply:
        start = clock()
        try:
            rows = read_rows(content.get("keys"), content["values"])
        finally:
            journey.laps.append(("decode", start, clock()))
        answer = self._predictor.predict_rows(spec, rows, journey)
        start = clock()
        try:
            body = to_json(answer.scores[0] if rows.is_one else answer.scores)
        finally:
            journey.laps.append(("encode", start, clock()))
        return Reply(body, answer.backend, answer.version)


class PredictProto(Prediction):
    """``POST /predict/proto``: the message Row of tfaas.proto, of any content type."""

    def answer(self, env: Environ, journey: Journey) -> Reply:
        """Answer the message Predictions, with one Class for each score, in order."""
        start = clock()
        try:
            row = read_row(read_body(env, self._max_bytes))
            rows = read_rows(row.keys, row.values)
        finally:
            journey.laps.append(("decode", start, clock()))
        given = {"model": row.model} if row.model else {}
        spec = read_spec(env, given, self._names)
        answer = self._predictor.predict_rows(spec, rows, journey)
        start = clock()
        try:
            named = name_scores(
                answer.scores[0], answer.labels, may_lack=answer.answers_labels
            )
            body = write_predictions(
                [(c["label"], float(c["probability"])) for c in named]
            )
        finally:
            journey.laps.append(("encode", start, clock()))
        return Reply(body, answer.backend, answer.version, PROTOBUF)


class Predict(Prediction):
    """``POST /predict``: one of the other three, by the request's content type.

    Args:
        image: the resource of images.
        json: the resource of JSON.
        proto: the resource of protobuf.
    """

    def __init__(
        self, image: PredictImage, json: PredictJson, proto: PredictProto
    ) -> None:
        self._by_type: dict[str, Prediction] = {
            falcon.MEDIA_MULTIPART: image,
            falcon.MEDIA_JSON: json,
            PROTOBUF: proto,
            "application/protobuf": proto,
            "application/octet-stream": proto,
        }

    def answer(self, env: Environ, journey: Journey) -> Reply:
        """Answer as the other route answers."""
        content_type: str = env.get("CONTENT_TYPE", "")
        media_type = content_type.partition(";")[0].strip().lower()
        if media_type not in self._by_type:
            raise falcon.HTTPUnsupportedMediaType(
                description=f"the content type is {media_type[:64]!r}; send"
                f" {', '.join(self._by_type)}"
            )
        return self._by_type[media_type].answer(env, journey)


# TFaaS's clients may send the key, and TFaaS does not use it.
_TAKEN = frozenset(JsonRequest.__annotations__)
_JSON_KEYS = _TAKEN - {"key"}


def _check_json(content: dict[str, Any]) -> None:
    if not content.keys() <= _TAKEN:
        unknown = min(content.keys() - _TAKEN)
        raise InvalidInput(
            f"the body has an unknown key {unknown[:128]!r}; it may have"
            f" {', '.join(sorted(_JSON_KEYS))}"
        )
    inputs = content.get("inputs")
    if (content.get("values") is None) == (inputs is None):
        raise InvalidInput(
            "send 'values', a row of numbers or a list of rows, or 'inputs', an object"
            " of nested lists by name, and not both"
        )
    if inputs is None:
        return
    if not isinstance(inputs, dict):
        raise InvalidInput("'inputs' must be an object of nested lists by name")
    if content.get("keys"):
        raise InvalidInput("'keys' name the values of rows, and not of 'inputs'")


def _json_texts(content: dict[str, Any]) -> dict[str, str]:
    """Read the model, version and label of a JSON body, each as a text.

    ``name`` stands for ``model``, as in TFaaS.
    """
    texts = {}
    for name, kind, what in (
        ("name", str, "a text"),
        ("model", str, "a text"),
        ("label", str, "a text"),
        ("version", int, "a whole number"),
    ):
        value = content.get(name)
        if value is None:
            continue
        if type(value) is not kind:
            raise InvalidInput(f"{name!r} must be {what}")
        texts[name] = str(value)
    if "name" in texts and texts.setdefault("model", texts["name"]) != texts["name"]:
        raise InvalidInput(
            f"'model' is {texts['model'][:64]!r} and 'name' is {texts['name'][:64]!r};"
            " send one of them"
        )
    return texts


def check_files(images: list[Part], ex: ImageError) -> None:
    """Tell a client that sent a file's name in place of the file.

    Raises:
        ImageError: it did.
    """
    for image in images:
        if not image.filename and _FILE_NAME.fullmatch(image.data):
            name = image.data.decode()
            raise ImageError(
                f"{ex}; the field 'image' has the text {name!r}: curl sends the file of"
                f" this name with -F image=@{name}"
            ) from ex


def _image_labels(
    images: list[Part], prediction: Scores, top: int
) -> list[ImageLabels]:
    return [
        {
            "filename": image.filename,
            "labels": best_labels(
                scores, prediction.labels, top, may_lack=prediction.answers_labels
            ),
        }
        for image, scores in zip(images, prediction.scores, strict=True)
    ]
