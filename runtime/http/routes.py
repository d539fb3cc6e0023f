"""The routes: one table with each route's method, path, access, sentence and lane.

The application adds its resources by this table, ``Authorize`` admits by it, the
front of ``runtime serve`` chooses a thread by it, and the page at /docs lists it. A
request that stands in no row is refused.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import Enum

from runtime.access.gate import Access
from runtime.http.remembered import remembered

_OPEN, _READ, _WRITE = Access.OPEN, Access.READ, Access.WRITE


class Lane(Enum):
    """The kind of thread that ``runtime serve`` answers a route in.

    Attributes:
        QUICK: the one quick thread of the process, for an answer within a millisecond;
            see ``runtime.lane``.
        OTHER: one of several threads, which wait for no prediction.
        STREAMED: one of the threads that read a body while it comes.
    """

    QUICK = "quick"
    OTHER = "other"
    STREAMED = "streamed"


@dataclass(frozen=True)
class Route:
    """One row of the table.

    Attributes:
        method: the HTTP method. GET stands for HEAD too; Falcon answers OPTIONS by
            itself.
        path: Falcon's template, without config.json's ``base``.
        access: the proof that a client needs.
        sentence: a sentence for people, which begins with a verb.
        lane: the kind of thread that answers.
        is_quiet: whether machines ask the route all the time. Such a route is exempt
            from the rate limit, has no span, and is logged at DEBUG.
    """

    method: str
    path: str
    access: Access
    sentence: str
    lane: Lane = Lane.OTHER
    is_quiet: bool = False

    @property
    def shown(self) -> str:
        """The path for people, who need not know that a name may hold slashes."""
        return self.path.replace(":path}", "}")

    @property
    def methods(self) -> tuple[str, ...]:
        """The methods that the row stands for."""
        return ("GET", "HEAD") if self.method == "GET" else (self.method,)


def _predict(path: str, sentence: str) -> Route:
    return Route("POST", path, _READ, sentence, lane=Lane.QUICK)


def _v2_model(tail: str, sentence: str) -> tuple[Route, Route]:
    """Make the routes of a model, and of one version of it."""
    return (
        Route("GET", f"/v2/models/{{name}}{tail}", _READ, sentence),
        Route(
            "GET",
            f"/v2/models/{{name}}/versions/{{version}}{tail}",
            _READ,
            "does the same for one version",
        ),
    )


def _v1_model(method: str, tail: str, sentence: str) -> tuple[Route, ...]:
    """Make the routes of a model, and of one version and one label of it."""
    lane = Lane.QUICK if method == "POST" else Lane.OTHER
    model = "/v1/models/{name}"
    return (
        Route(method, f"{model}{tail}", _READ, sentence, lane),
        *(
            Route(method, f"{model}/{one}{tail}", _READ, f"does the same {more}", lane)
            for one, more in (
                ("versions/{version}", "for one version"),
                ("labels/{label}", "for the version of a label"),
            )
        ),
    )


# /docs lists the routes in this order.
ROUTES = (
    _predict("/predict", "answers as one of the three below, by its content type"),
    _predict(
        "/predict/image", "predicts the images in a form: arrays of probabilities"
    ),
    _predict("/image", "does the same as /predict/image"),
    _predict("/predict/json", "predicts the rows, or the inputs by name, in JSON"),
    _predict("/json", "does the same as /predict/json"),
    _predict(
        "/predict/proto", "predicts the protobuf message Row, and sends Predictions"
    ),
    _predict("/proto", "does the same as /predict/proto"),
    Route(
        "POST",
        "/explain/image",
        _READ,
        "shows the steps from an image in a form to the model's input, and its answer",
    ),
    Route(
        "POST",
        "/feedback",
        _WRITE,
        "keeps a picture in a form, or a row in JSON, with its right label",
    ),
    _predict("/v2/models/{name}/infer", "infers, by the Open Inference Protocol v2"),
    _predict(
        "/v2/models/{name}/versions/{version}/infer", "does the same with one version"
    ),
    *_v1_model("POST", ":predict", "predicts, by TensorFlow Serving's API v1"),
    *_v1_model("POST", ":classify", "gives the label and score of each class"),
    *_v1_model("POST", ":regress", "gives one number for each example"),
    Route("GET", "/models", _READ, "lists the models, and how each is served"),
    Route("GET", "/models/{name}", _READ, "shows a model's labels and versions"),
    Route(
        "GET",
        "/models/{name}/{version}",
        _READ,
        "shows a version: its files, params and proof",
    ),
    Route("DELETE", "/models/{name}/{version}", _WRITE, "deletes one version"),
    Route(
        "GET", "/models/{name}/{version}/bundle", _READ, "sends its bundle as a tar.gz"
    ),
    Route(
        "GET",
        "/models/{name}/{version}/report",
        _READ,
        "sends the page of its training: accuracy, mistakes, calibration, proof",
    ),
    Route(
        "GET",
        "/models/{name}/labels",
        _READ,
        "shows the version that each label points to",
    ),
    Route(
        "PUT",
        "/models/{name}/labels/{label}",
        _WRITE,
        'points a label to version N of the JSON {"version": N}',
    ),
    Route("DELETE", "/models/{name}/labels/{label}", _WRITE, "takes a label away"),
    Route(
        "POST",
        "/upload",
        _WRITE,
        "publishes an archive of a bundle's folder, or its files as a form",
        lane=Lane.STREAMED,
    ),
    Route("GET", "/params", _READ, "answers 400: it says to ask /params/{name}"),
    Route(
        "POST",
        "/params",
        _WRITE,
        "publishes the next version, with the params in the JSON",
    ),
    Route(
        "GET",
        "/params/{name}",
        _READ,
        "shows a model's params.json, of ?version= or ?label= if given",
    ),
    Route(
        "DELETE",
        "/delete",
        _WRITE,
        "deletes the model that the multipart field model names",
    ),
    Route("DELETE", "/delete/{name}", _WRITE, "deletes a model with all its versions"),
    Route(
        "GET",
        "/download/{name}/{file:path}",
        _READ,
        "sends a file of its bundle, such as model.onnx",
    ),
    # The viewer's own files are open, and so are the operator's files in staticDir. A
    # bundle's files are not.
    Route(
        "GET",
        "/netron",
        _OPEN,
        "shows a graph: ?url=/download/{name}/model.onnx",
    ),
    Route("GET", "/netron/{file}", _OPEN, "sends the viewer's own files"),
    Route(
        "GET", "/status", _READ, "describes the machine, this process and its requests"
    ),
    Route("GET", "/metrics", _READ, "gives the metrics to Prometheus", is_quiet=True),
    Route(
        "GET",
        "/livez",
        _OPEN,
        "answers 200 while the process lives",
        lane=Lane.QUICK,
        is_quiet=True,
    ),
    Route(
        "GET",
        "/healthz",
        _OPEN,
        "does the same as /livez",
        lane=Lane.QUICK,
        is_quiet=True,
    ),
    Route(
        "GET",
        "/readyz",
        _OPEN,
        "answers 200 when the service should get requests, else 503 and the reasons",
        lane=Lane.QUICK,
        is_quiet=True,
    ),
    Route("GET", "/v2", _READ, "tells the server's name, version and extensions"),
    Route(
        "GET",
        "/v2/health/live",
        _OPEN,
        "answers 200 while the process lives",
        lane=Lane.QUICK,
        is_quiet=True,
    ),
    Route(
        "GET",
        "/v2/health/ready",
        _OPEN,
        "answers 200 or 503, as /readyz does",
        lane=Lane.QUICK,
        is_quiet=True,
    ),
    *_v2_model("", "tells the names, datatypes and shapes of inputs and outputs"),
    *_v2_model("/ready", "answers 200 if the model answers requests, else 503"),
    *_v2_model("/config", "tells the same as a config of Triton"),
    Route("GET", "/v2/models/stats", _READ, "counts the requests of all models"),
    *_v2_model("/stats", "counts the requests of each version"),
    Route(
        "POST",
        "/v2/repository/index",
        _READ,
        "lists all versions, and which are ready",
    ),
    Route(
        "POST",
        "/v2/repository/{repository}/index",
        _READ,
        "does the same, whatever the repository is called",
    ),
    Route(
        "POST",
        "/v2/repository/models/{name}/load",
        _WRITE,
        "loads a model, and lets it answer requests again",
    ),
    Route(
        "POST",
        "/v2/repository/models/{name}/unload",
        _WRITE,
        "takes a model out of memory; it answers no requests until it is loaded",
    ),
    Route(
        "POST",
        "/v2/repository/{repository}/models/{name}/load",
        _WRITE,
        "answers 501, as Triton does: there is one repository",
    ),
    Route(
        "POST",
        "/v2/repository/{repository}/models/{name}/unload",
        _WRITE,
        "answers 501, as Triton does: there is one repository",
    ),
    Route("GET", "/v1/models", _READ, "answers 400: it says to name a model"),
    *_v1_model("GET", "", "tells each version's state, by TensorFlow Serving's API v1"),
    *_v1_model("GET", "/metadata", "tells the signature: inputs, outputs and types"),
    Route(
        "GET",
        "/live",
        _READ,
        "gives the load of the service and of each model, for a page",
        lane=Lane.QUICK,
        is_quiet=True,
    ),
    Route("GET", "/", _OPEN, "shows the page, on which one can try the models"),
    Route("GET", "/page/{file}", _OPEN, "sends the files of that page"),
    # These tell what the project's public documents tell, and nothing of the store. A
    # browser can send no token with the address of a page.
    Route("GET", "/docs", _OPEN, "shows the routes, with what they take and answer"),
    Route("GET", "/docs/{file}", _OPEN, "sends the files of that page"),
    Route("GET", "/openapi.json", _OPEN, "describes the routes, as OpenAPI 3.1 has it"),
    Route("GET", "/favicon.ico", _OPEN, "sends an icon"),
    Route("GET", "/js/{file:path}", _OPEN, "sends files of config.json's staticDir"),
    Route("GET", "/css/{file:path}", _OPEN, "does the same as /js/{file}"),
    Route("GET", "/images/{file:path}", _OPEN, "does the same as /js/{file}"),
)


def under(base: str, path: str) -> str:
    """Put a path of the table under config.json's ``base``; the page is the base."""
    return (base or "/") if path == "/" else base + path


def rules_of(
    routes: Iterable[Route] = ROUTES, base: str = ""
) -> Mapping[tuple[str, str], Access]:
    """Return the access of each pair of a template, under the base, and a method."""
    return {
        (under(base, route.path), method): route.access
        for route in routes
        for method in route.methods
    }


def quiet_paths(routes: Iterable[Route] = ROUTES, base: str = "") -> frozenset[str]:
    """Return the paths that machines ask all the time, under the base."""
    return frozenset(under(base, route.path) for route in routes if route.is_quiet)


class Lanes:
    """Tells by a request's path which kind of thread answers it.

    Args:
        routes: the table. All methods of a path share its lane.
        base: config.json's ``base``.
    """

    def __init__(self, routes: Iterable[Route] = ROUTES, base: str = "") -> None:
        self._exact: dict[str, Lane] = {}
        patterns: dict[Lane, list[str]] = {}
        for route in routes:
            if route.lane is Lane.OTHER:
                continue
            path = under(base, route.path)
            if "{" in path:
                patterns.setdefault(route.lane, []).append(_pattern_of(path))
            else:
                self._exact[path] = route.lane
        self._templates = [
            (re.compile("|".join(several)), lane) for lane, several in patterns.items()
        ]
        self._again = remembered(self._by_template)

    def lane_of(self, path: str) -> Lane:
        """Return the lane of a request's path, which begins with the base."""
        lane = self._exact.get(path)
        return self._again(path) if lane is None else lane

    def _by_template(self, path: str) -> Lane:
        for pattern, lane in self._templates:
            if pattern.fullmatch(path):
                return lane
        return Lane.OTHER


def _pattern_of(template: str) -> str:
    """Make a pattern of the paths that a template matches; a name has no slash."""
    parts = re.split(r"\{[^{}]*\}", template)
    return "[^/]+".join(map(re.escape, parts))
