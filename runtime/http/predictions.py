"""Predictions that are answered without Falcon, which takes as long as a small model.

A request for a prediction takes the same steps as all others: it is watched from its
head to its reply, checked by the rule of its route, and refused in the same words. Only
the way there differs: no request object, no response object, no list of middleware. All
else of the service, and each unusual request, goes through Falcon.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from runtime.access.gate import Access, Gate
from runtime.http.caller import WsgiCaller
from runtime.http.environ_keys import Environ
from runtime.http.errors import Errors
from runtime.http.middleware.watch import Watch
from runtime.http.reply import NO_SNIFF, NO_STORE, Headers, headers_of, to_json
from runtime.http.resources.predict import Prediction

_OK = "200 OK"
_REFUSED: Headers = (("Content-Type", "application/json"), NO_SNIFF, NO_STORE)


class Predictions:
    """Answers POST requests for predictions.

    Args:
        resources: the resource of each path.
        watch: the middleware that watches all requests.
        gate: the gate that decides who may ask.
        errors: the answers to errors.
    """

    def __init__(
        self,
        resources: Mapping[str, Prediction],
        watch: Watch,
        gate: Gate,
        errors: Errors,
    ) -> None:
        self._resources = resources if watch.is_plain else {}
        self._watch = watch
        self._gate = gate if gate.asks_for_reads else None
        self._errors = errors

    def resource_for(self, env: Environ) -> Prediction | None:
        """Return the resource that answers a request; None if Falcon does."""
        resource = self._resources.get(env["PATH_INFO"])
        if (
            resource is None
            or env["REQUEST_METHOD"] != "POST"
            or "HTTP_TRANSFER_ENCODING" in env
            or not env.get("CONTENT_LENGTH", "0").isdecimal()
        ):
            return None
        return resource

    def answer(
        self, resource: Prediction, env: Environ, start_response: Callable[..., Any]
    ) -> list[bytes]:
        """Answer a request, as WSGI has it."""
        path: str = env["PATH_INFO"]
        watch = self._watch
        journey = watch.begin(env)
        try:
            watch.admit(env, journey)
            if self._gate is not None:
                self._gate.check(Access.READ, WsgiCaller(env))
            body, backend, version, content_type = resource.answer(env, journey)
            status, code = _OK, 200
            headers = headers_of(content_type, backend, version)
        except Exception as ex:
            refusal = self._errors.refusal_of(ex, "POST", path, path)
            status, code = refusal.status, int(refusal.status[:3])
            body = to_json(refusal.media)
            headers = _REFUSED + refusal.headers
        watch.end(env, journey, path, path, code, len(body))
        start_response(
            status,
            [
                *headers,
                ("Content-Length", str(len(body))),
                ("X-Request-Id", journey.request_id),
            ],
        )
        return [body]
