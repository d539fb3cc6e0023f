"""The WSGI application: the resources behind the table of routes.

``create_app`` makes the application over given services; tests call it. ``runtime.app``
has the application for servers.
"""

from __future__ import annotations

import functools
import platform
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import falcon
import onnxruntime
import orjson
from falcon.media import Handlers, JSONHandler
from falcon.routing import CompiledRouter
from prometheus_client import CollectorRegistry

from bundle import __version__
from runtime.access.gate import Gate, gate_of
from runtime.config import Config
from runtime.http.caller import address_reader
from runtime.http.cors import Cors
from runtime.http.environ_keys import Environ
from runtime.http.errors import Errors
from runtime.http.middleware.authorize import Authorize
from runtime.http.middleware.chunked import ChunkedBodies
from runtime.http.middleware.door import Door
from runtime.http.middleware.rate import Rate
from runtime.http.middleware.render import Render
from runtime.http.middleware.watch import Watch
from runtime.http.page.docs import Docs
from runtime.http.page.files import Favicon, static_files
from runtime.http.page.netron import Netron
from runtime.http.page.page import Page
from runtime.http.predictions import Predictions
from runtime.http.reply import to_json
from runtime.http.resources.downloads import Download
from runtime.http.resources.explain import ExplainImage
from runtime.http.resources.feedback import PostFeedback
from runtime.http.resources.health import Live, Ready
from runtime.http.resources.labels import Label, Labels
from runtime.http.resources.live import LiveLoad
from runtime.http.resources.metrics import Metrics, show_store
from runtime.http.resources.models import Archive, Delete, Model, Models, ModelVersion
from runtime.http.resources.openapi import OpenApi
from runtime.http.resources.params import ModelParams, Params
from runtime.http.resources.predict import (
    Predict,
    PredictImage,
    Prediction,
    PredictJson,
    PredictProto,
)
from runtime.http.resources.reports import Report
from runtime.http.resources.status import Status
from runtime.http.resources.uploads import Upload
from runtime.http.resources.v1_models import (
    NoModel,
    SignatureMetadata,
    VersionStates,
)
from runtime.http.resources.v1_predict import V1Classify, V1Predict, V1Regress
from runtime.http.resources.v2_infer import Infer
from runtime.http.resources.v2_models import (
    ModelConfig,
    ModelMetadata,
    ModelReady,
    ModelStatistics,
)
from runtime.http.resources.v2_repository import (
    NamedRepository,
    RepositoryIndex,
    RepositoryLoad,
    RepositoryUnload,
)
from runtime.http.resources.v2_server import ServerLive, ServerMetadata, ServerReady
from runtime.http.routes import ROUTES, quiet_paths, rules_of, under
from runtime.services import Services
from runtime.telemetry.metrics import BUILD_INFO, current_registry
from runtime.telemetry.tracing import Tracing

if TYPE_CHECKING:
    _Base = falcon.App[falcon.Request, falcon.Response]
else:
    _Base = falcon.App


class App(_Base):
    """The WSGI application.

    Attributes:
        door: the door that looks at a request's head; a server asks it before it waits
            for the body.
        predictions: the answers to the requests that do not go through Falcon.
        cors: the headers for pages of other origins; None if no page may ask.
        tracing: the tracing that makes spans; None if it is off.
    """

    door: Door
    predictions: Predictions
    cors: Cors | None
    tracing: Tracing | None

    def __call__(
        self, env: Environ, start_response: Callable[..., Any]
    ) -> Iterable[bytes]:
        """Answer a request, as WSGI has it."""
        if self.cors is not None:
            start_response = self.cors.begin(env, start_response)
        found = self.predictions.resource_for(env)
        if found is None:
            return super().__call__(env, start_response)
        return self.predictions.answer(found, env, start_response)


def create_app(
    services: Services,
    config: Config,
    collect: Callable[[], CollectorRegistry] = current_registry,
) -> App:
    """Make the WSGI application over given services.

    Args:
        services: the parts that answer.
        config: the settings.
        collect: a function that returns the metrics for ``GET /metrics``.

    Raises:
        ConfigError: ``tracing`` is on, and OpenTelemetry is not installed.
    """
    base = config.base
    quiet = quiet_paths(ROUTES, base)
    gate = gate_of(config)
    bodies = ChunkedBodies(config.max_body_bytes)
    authorize = Authorize(gate, rules_of(ROUTES, base), bodies)
    address_of = address_reader(gate)
    limiter = services.limiter
    rate = Rate(limiter, quiet, address_of) if limiter else None
    tracing = Tracing() if config.tracing else None
    watch = Watch(
        quiet,
        tracing,
        config.timeout_ms,
        address_of,
        config.monit_record,
        rate,
    )
    router = CompiledRouter()
    # A request takes these steps in this order, and its reply the other way.
    application = App(middleware=[watch, authorize, Render()], router=router)
    application.tracing = tracing
    origins = config.cors_origins
    application.cors = Cors(origins, config.token_header) if origins else None
    handlers = Handlers(
        {
            falcon.MEDIA_JSON: JSONHandler(dumps=to_json, loads=orjson.loads),
        }
    )
    application.req_options.media_handlers = handlers
    application.req_options.strip_url_path_trailing_slash = True
    application.resp_options.media_handlers = handlers
    errors = Errors(base)
    errors.add_to(application)
    _tell_build()

    resources = _resources(services, config, gate, collect)
    for path in dict.fromkeys(route.path for route in ROUTES):
        # A folder of staticDir that is not there has no resource.
        if path in resources:
            resource, suffix = resources[path]
            application.add_route(under(base, path), resource, suffix=suffix)
    predictions = {
        under(base, path): resource
        for path, (resource, _) in resources.items()
        if isinstance(resource, Prediction)
    }
    application.predictions = Predictions(predictions, watch, gate, errors)
    find = application.predictions.find
    application.door = Door(router, find, authorize, rate, address_of)
    return application


def _resources(
    services: Services,
    config: Config,
    gate: Gate,
    collect: Callable[[], CollectorRegistry],
) -> dict[str, tuple[object, str | None]]:
    """Make the resource of each path, with the suffix of its responders."""
    catalogue, publisher = services.catalogue, services.publisher
    max_bytes = config.max_body_bytes
    predicts = (services.predictor, max_bytes, services.store.names)
    image = PredictImage(*predicts)
    rows = PredictJson(*predicts)
    proto = PredictProto(*predicts)
    repository = services.repository
    statistics = ModelStatistics(repository)
    readiness = services.readiness()
    delete = Delete(publisher, max_bytes)
    docs = Docs(config.base)
    netron = Netron(config.base)
    page = Page(config.base, config.token_header)
    plain: dict[str, object] = {
        "/": page,
        "/models": Models(catalogue),
        "/models/{name}": Model(catalogue),
        "/models/{name}/labels": Labels(catalogue),
        "/models/{name}/labels/{label}": Label(publisher, max_bytes),
        "/models/{name}/{version}": ModelVersion(catalogue, publisher),
        "/models/{name}/{version}/bundle": Archive(catalogue),
        "/models/{name}/{version}/report": Report(services.store),
        "/params": Params(publisher, max_bytes),
        "/params/{name}": ModelParams(catalogue),
        "/upload": Upload(publisher),
        "/delete": delete,
        "/predict": Predict(image, rows, proto),
        "/predict/image": image,
        "/image": image,
        "/explain/image": ExplainImage(*predicts),
        "/feedback": PostFeedback(services.feedback, max_bytes),
        "/predict/json": rows,
        "/json": rows,
        "/predict/proto": proto,
        "/proto": proto,
        "/livez": Live(),
        "/healthz": Live(),
        "/readyz": Ready(readiness),
        "/v2": ServerMetadata(),
        "/v2/health/live": ServerLive(),
        "/v2/health/ready": ServerReady(readiness),
        **_v2_model("", ModelMetadata(services.registry, repository)),
        **_v2_model("/infer", Infer(*predicts)),
        **_v2_model("/ready", ModelReady(repository)),
        **_v2_model("/config", ModelConfig(services.registry)),
        "/v2/models/stats": statistics,
        **_v2_model("/stats", statistics),
        "/v2/repository/index": RepositoryIndex(repository, max_bytes),
        "/v2/repository/{repository}/index": RepositoryIndex(repository, max_bytes),
        "/v2/repository/models/{name}/load": RepositoryLoad(repository, max_bytes),
        "/v2/repository/models/{name}/unload": RepositoryUnload(repository, max_bytes),
        "/v2/repository/{repository}/models/{name}/load": NamedRepository(),
        "/v2/repository/{repository}/models/{name}/unload": NamedRepository(),
        "/v1/models": NoModel(),
        **_v1_model("", VersionStates(repository)),
        **_v1_model("/metadata", SignatureMetadata(services.registry)),
        **_v1_model(":predict", V1Predict(*predicts)),
        **_v1_model(":classify", V1Classify(*predicts)),
        **_v1_model(":regress", V1Regress(*predicts)),
        "/metrics": Metrics(
            collect, services.watch.show, functools.partial(show_store, services.store)
        ),
        "/live": LiveLoad(services.store),
        "/status": Status(config, services.registry),
        "/docs": docs,
        "/openapi.json": OpenApi(gate, config.base),
        "/netron": netron,
        "/download/{name}/{file:path}": Download(services.store),
        "/favicon.ico": Favicon(Path(config.static_dir)),
        **static_files(config.base, Path(config.static_dir)),
    }
    return {
        **{path: (resource, None) for path, resource in plain.items()},
        "/delete/{name}": (delete, "named"),
        "/docs/{file}": (docs, "file"),
        "/netron/{file}": (netron, "file"),
        "/page/{file}": (page, "file"),
    }


def _v1_model(tail: str, resource: object) -> dict[str, object]:
    """Return a resource of TensorFlow Serving's API, by its three paths."""
    models = ("", "/versions/{version}", "/labels/{label}")
    return {f"/v1/models/{{name}}{one}{tail}": resource for one in models}


def _v2_model(tail: str, resource: object) -> dict[str, object]:
    """Return a resource of the Open Inference Protocol, by its two paths."""
    return {
        f"/v2/models/{{name}}{tail}": resource,
        f"/v2/models/{{name}}/versions/{{version}}{tail}": resource,
    }


def _tell_build() -> None:
    BUILD_INFO.labels(
        __version__,
        platform.python_version(),
        onnxruntime.__version__,
        ",".join(onnxruntime.get_available_providers()),
    ).set(1)
