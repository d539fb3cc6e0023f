"""Predictions that are answered without Falcon, which takes as long as a small model.

A request for a prediction takes the same steps as all others: it is watched from its
head to its reply, checked by the rule of its route, and refused in the same words. Only
the way there differs: no request object, no response object, no list of middleware. All
else of the service, and each unusual request, goes through Falcon.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from runtime.access.gate import Access, Gate
from runtime.http.caller import WsgiCaller
from runtime.http.environ_keys import PLACES, Environ
from runtime.http.errors import Errors
from runtime.http.middleware.watch import Watch
from runtime.http.remembered import remembered
from runtime.http.reply import NO_SNIFF, NO_STORE, Headers, headers_of, to_json
from runtime.http.resources.predict import Prediction

_OK = "200 OK"
_REFUSED: Headers = (("Content-Type", "application/json"), NO_SNIFF, NO_STORE)


class Found(NamedTuple):
    """The resource that answers a request.

    Attributes:
        resource: the resource.
        route: the template of its route.
        places: the texts of the path in place of the template's names in braces.
    """

    resource: Prediction
    route: str
    places: Mapping[str, str]


class _Template(NamedTuple):
    """A route with names in braces, split at its slashes.

    Attributes:
        literals: the texts that the path must have, with their places.
        names: the names in braces, each with its place and the text behind it, such as
            ``:predict``.
    """

    resource: Prediction
    route: str
    literals: tuple[tuple[int, str], ...]
    names: tuple[tuple[int, str, str], ...]

    def places_of(self, parts: list[str]) -> dict[str, str] | None:
        """Return the texts in place of the names; None if the path is another one."""
        for place, text in self.literals:
            if parts[place] != text:
                return None
        places = {}
        for place, name, tail in self.names:
            text = parts[place]
            if tail:
                if not text.endswith(tail):
                    return None
                text = text[: -len(tail)]
            if not text:
                return None
            places[name] = text
        return places


class Predictions:
    """Answers POST requests for predictions.

    Args:
        resources: the resource of each route, by its template.
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
        self._exact: dict[str, Found] = {}
        self._templates: dict[int, list[_Template]] = {}
        for route, resource in resources.items() if watch.is_plain else ():
            if "{" in route:
                template = _template_of(route, resource)
                self._templates.setdefault(route.count("/"), []).append(template)
            else:
                self._exact[route] = Found(resource, route, {})
        self._again = remembered(self._by_template)
        self._watch = watch
        self._gate = gate if gate.asks_for_reads else None
        self._errors = errors

    def resource_for(self, env: Environ) -> Found | None:
        """Find the resource that answers a request; None if Falcon does."""
        path: str = env["PATH_INFO"]
        # This is ``find``, without the time of one more call.
        found = self._exact.get(path) or self._again(path)
        if (
            found is None
            or env["REQUEST_METHOD"] != "POST"
            or "HTTP_TRANSFER_ENCODING" in env
            or not env.get("CONTENT_LENGTH", "0").isdecimal()
        ):
            return None
        return found

    def find(self, path: str) -> Found | None:
        """Find the resource of a path; None if Falcon finds it."""
        return self._exact.get(path) or self._again(path)

    def _by_template(self, path: str) -> Found | None:
        # Falcon matches a path with a regular expression for each of its parts, and
        # decodes it before. Names of models are ASCII; Falcon refuses the others.
        templates = self._templates.get(path.count("/"))
        if templates is None or not path.isascii():
            return None
        parts = path.split("/")
        for template in templates:
            places = template.places_of(parts)
            if places is not None:
                return Found(template.resource, template.route, places)
        return None

    def answer(
        self, found: Found, env: Environ, start_response: Callable[..., Any]
    ) -> list[bytes]:
        """Answer a request, as WSGI has it."""
        path: str = env["PATH_INFO"]
        resource, route, env[PLACES] = found
        watch = self._watch
        journey = watch.begin(env)
        try:
            watch.admit(env, journey)
            if self._gate is not None:
                self._gate.check(Access.READ, WsgiCaller(env))
            body, backend, version, content_type, more = resource.answer(env, journey)
            status, code = _OK, 200
            headers = headers_of(content_type, backend, version) + more
        except Exception as ex:
            refusal = self._errors.refusal_of(ex, "POST", path, route)
            status, code = refusal.status, int(refusal.status[:3])
            body = to_json(refusal.media)
            headers = _REFUSED + refusal.headers
        watch.end(env, journey, path, route, code, len(body))
        start_response(
            status,
            [
                *headers,
                ("Content-Length", str(len(body))),
                ("X-Request-Id", journey.request_id),
            ],
        )
        return [body]


def _template_of(route: str, resource: Prediction) -> _Template:
    literals, names = [], []
    for place, part in enumerate(route.split("/")):
        name, brace, tail = part.removeprefix("{").partition("}")
        if brace:
            names.append((place, name, tail))
        else:
            literals.append((place, part))
    return _Template(resource, route, tuple(literals), tuple(names))
