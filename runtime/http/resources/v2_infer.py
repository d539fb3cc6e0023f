"""Inferences of the Open Inference Protocol v2."""

from __future__ import annotations

import functools

import falcon

from runtime.http.encodings import encoded, read_encoded_body
from runtime.http.environ_keys import PLACES, Environ
from runtime.http.reply import QUICK_NUMBERS, Headers, Reply
from runtime.http.resources.predict import Prediction
from runtime.lane import elsewhere
from runtime.prediction.answers import Outputs
from runtime.telemetry.journey import Journey, clock
from runtime.wire.oip.asked import spec_of
from runtime.wire.oip.reply import write_reply
from runtime.wire.oip.request import HEADER, InferRequest, read_request

BINARY = "application/octet-stream"
# The numbers of outputs that are sorted into classes within a millisecond.
_QUICK_CLASSES = 1000
_KEY = "HTTP_" + HEADER.upper().replace("-", "_")


class Infer(Prediction):
    """``POST /v2/models/{name}/infer``, also below ``/versions/{version}``.

    The content type does not matter: the header ``Inference-Header-Content-Length``
    tells whether binary tensors stand behind the JSON.
    """

    def answer(self, env: Environ, journey: Journey) -> Reply:
        """Answer the outputs that the request wants, as JSON or as binary tensors."""
        start = clock()
        try:
            body = read_encoded_body(env, self._max_bytes)
            request = read_request(body, env.get(_KEY))
        finally:
            journey.laps.append(("decode", start, clock()))
        spec = spec_of(**env[PLACES])
        journey.hasten(request.microseconds)
        answer = self._predictor.predict_tensors(spec, request, journey)
        start = clock()
        try:
            write = functools.partial(write_reply, spec.name, request, answer)
            is_quick = _is_quick(request, answer)
            reply = write() if is_quick else elsewhere(write, journey.model)
            content, more = encoded(env, reply.body)
        finally:
            journey.laps.append(("encode", start, clock()))
        if reply.json_bytes is None:
            content_type, headers = falcon.MEDIA_JSON, more
        else:
            length: Headers = ((HEADER, str(reply.json_bytes)),)
            content_type, headers = BINARY, length + more
        return Reply(content, answer.backend, answer.version, content_type, headers)


def _is_quick(request: InferRequest, answer: Outputs) -> bool:
    """Tell whether the reply is written within a millisecond."""
    # These are loops, because ``sum`` and ``any`` with generators take twice as long.
    numbers, most = 0, QUICK_NUMBERS
    for array in answer.outputs.values():
        numbers += array.size
    for wanted in request.outputs:
        if wanted.classes:
            most = _QUICK_CLASSES
    return numbers <= most
