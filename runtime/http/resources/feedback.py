"""``POST /feedback``: a picture or a row, with its right label."""

from __future__ import annotations

from typing import Any, NotRequired, TypedDict

import falcon

from bundle.errors import ImageError
from runtime.errors import Forbidden, InvalidInput
from runtime.feedback.feedback import Feedback, Kept
from runtime.http.body import is_multipart, read_json, read_parts, texts_of
from runtime.http.environ_keys import Environ
from runtime.http.query import spec_of
from runtime.http.resources.predict import check_files


class FeedbackForm(TypedDict):
    """A form with one picture, its model, and its right label.

    Attributes:
        image: the picture's file.
        model: the model's name.
        label: the picture's right label, which is one of the model's labels.
        version: the number of the version that it is checked with.
    """

    image: bytes
    model: str
    label: str
    version: NotRequired[int]


class FeedbackRow(TypedDict):
    """One row, its model, and its right label.

    Attributes:
        model: the model's name.
        label: the row's right label: one of the model's labels, or a number.
        keys: the names of the row's values, which are the model's features.
        values: the row.
        version: the number of the version that it is checked with.
    """

    model: str
    label: str | int | float
    keys: list[str]
    values: list[Any]
    version: NotRequired[int]


_FORM_TEXTS = FeedbackForm.__annotations__.keys() - {"image"}


class PostFeedback:
    """``POST /feedback``: a form with a picture, or JSON with a row.

    Args:
        feedback: the keeper; None if config.json has no ``feedbackDir``.
        max_bytes: the most bytes of a body.
    """

    def __init__(self, feedback: Feedback | None, max_bytes: int) -> None:
        self._feedback = feedback
        self._max_bytes = max_bytes

    def on_post(self, req: falcon.Request, resp: falcon.Response) -> None:
        """Keep it, and answer 201 with the number that is kept now."""
        if self._feedback is None:
            raise Forbidden(
                "config.json has no 'feedbackDir', so this service keeps no feedback"
            )
        read = self._of_form if is_multipart(req.env) else self._of_json
        resp.media = read(self._feedback, req.env)
        resp.status = falcon.HTTP_201

    def _of_form(self, feedback: Feedback, env: Environ) -> Kept:
        parts = read_parts(env, self._max_bytes, "image", "model", "label")
        images = parts.pop("image")
        if len(images) > 1:
            raise InvalidInput(
                f"the form has {len(images)} images; send one, because each has its own"
                " label"
            )
        texts = texts_of(parts, _FORM_TEXTS)
        version = {"version": texts["version"]} if "version" in texts else {}
        # In the routes of predictions ``label`` means a version, and here a class.
        spec = spec_of({}, texts["model"], version)
        try:
            return feedback.keep_picture(spec, texts["label"], images[0].data)
        except ImageError as ex:
            check_files(images, ex)
            raise

    def _of_json(self, feedback: Feedback, env: Environ) -> Kept:
        content = read_json(env, self._max_bytes)
        known = FeedbackRow.__annotations__.keys()
        if unknown := sorted(content.keys() - known):
            raise InvalidInput(
                f"the body has an unknown key {unknown[0][:128]!r}; it may have"
                f" {', '.join(known)}, and a picture is sent as a form"
            )
        if missing := [key for key in known if key not in {*content, "version"}]:
            raise InvalidInput(
                f"the body has no {missing[0]!r}; send model, label, keys and values"
            )
        name, version = content["model"], content.get("version")
        if not isinstance(name, str):
            raise InvalidInput("'model' must be a text")
        if isinstance(version, bool) or not isinstance(version, int | None):
            raise InvalidInput("'version' must be a whole number")
        spec = spec_of({}, name, {} if version is None else {"version": str(version)})
        return feedback.keep_row(
            spec, content["label"], content["keys"], content["values"]
        )
