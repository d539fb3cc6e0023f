"""Predictions."""

from __future__ import annotations

import falcon

from runtime.predictor import Predictor
from runtime.resources.body import read_form, text_field
from runtime.spec import ModelSpec


class PredictImage:
    """``POST /predict/image``: multipart fields ``image`` and ``model``."""

    def __init__(self, predictor: Predictor, max_bytes: int) -> None:
        self._predictor = predictor
        self._max_bytes = max_bytes

    def on_post(self, req: falcon.Request, resp: falcon.Response) -> None:
        """Answer an array of probabilities, one a label."""
        form = read_form(req, self._max_bytes, "image", "model")
        spec = ModelSpec(
            text_field(form, "model"),
            version=req.get_param_as_int("version", min_value=0, max_value=1 << 53),
            label=req.get_param("label"),
        )
        prediction = self._predictor.predict_image(spec, form["image"])
        resp.set_header("X-Model-Backend", prediction.backend)
        resp.set_header("X-Model-Version", str(prediction.version))
        resp.media = prediction.scores
