"""The door: routes, the error table, and the WSGI application.

``create_app`` wires given services and is what tests call; ``app`` is built from
config.json and is what a server calls: ``waitress-serve runtime.app:app``.
"""

from __future__ import annotations

import logging
import platform
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import falcon
import onnxruntime
import orjson
from falcon.media import Handlers, JSONHandler
from falcon.routing import CompiledRouter

from bundle import __version__
from bundle.errors import (
    ArchiveError,
    BundleError,
    ConflictError,
    DomainError,
    ImageError,
    ModelNotFound,
    ShapeError,
    StoreError,
    TooLarge,
)
from runtime import walls
from runtime.access import Gate, gate_of
from runtime.checks import check_config
from runtime.config import Config, ConfigError, load_config
from runtime.drain import drain_under_waitress
from runtime.errors import (
    BackendError,
    Expired,
    Forbidden,
    InvalidInput,
    Overloaded,
    ProviderError,
    RateLimited,
    TooSlow,
    Unauthorized,
    WallsError,
)
from runtime.logs import Seldom, set_up_logs
from runtime.metrics import BUILD_INFO, REJECTS
from runtime.middleware.authorize import Authorize
from runtime.middleware.chunked import ChunkedBodies
from runtime.middleware.door import Door
from runtime.middleware.rate import Rate
from runtime.middleware.refuse import Refuse
from runtime.middleware.watch import Render, Watch, route_of
from runtime.resources.health import Live, Ready
from runtime.resources.labels import Label, Labels
from runtime.resources.metrics import Metrics
from runtime.resources.models import Archive, Delete, Model, Models, ModelVersion
from runtime.resources.page import Page
from runtime.resources.params import ModelParams, Params
from runtime.resources.predict import (
    Predict,
    PredictImage,
    PredictJson,
    PredictProto,
)
from runtime.resources.reply import to_json
from runtime.resources.static import Download, Favicon, Netron, add_static_folders
from runtime.resources.status import Status
from runtime.resources.uploads import Upload
from runtime.services import Services, create_services
from runtime.tracing import Tracing

if TYPE_CHECKING:
    from collections.abc import Callable

    _Base = falcon.App[falcon.Request, falcon.Response]

    app: App
else:
    _Base = falcon.App

logger = logging.getLogger(__name__)


class App(_Base):
    """The WSGI application.

    Attributes:
        door: looks at a request's head, for a server that asks before it waits for the
            body.
    """

    door: Door


# Machines ask these all the time: they are not refused, traced or logged by default.
QUIET = ("/livez", "/readyz", "/healthz", "/metrics")

# What may be answered within a millisecond; see runtime/lane.py.
QUICK = (
    *("/livez", "/readyz", "/healthz"),
    *("/predict", "/predict/image", "/image", "/predict/json", "/json"),
    *("/predict/proto", "/proto"),
)
# Whose body is read as it comes.
STREAMED = ("/upload",)

# When an overloaded server is asked again.
RETRY_SECONDS = "1"

# Of Python's threads under a server of one process.
SWITCH_SECONDS = 1e-5

# 4xx: the sentence tells the client what to send instead. 5xx: it is the server's.
STATUS: dict[type[DomainError], str] = {
    ArchiveError: falcon.HTTP_400,
    ImageError: falcon.HTTP_400,
    InvalidInput: falcon.HTTP_400,
    ShapeError: falcon.HTTP_400,
    Unauthorized: falcon.HTTP_401,
    Forbidden: falcon.HTTP_403,
    ModelNotFound: falcon.HTTP_404,
    TooSlow: falcon.HTTP_408,
    ConflictError: falcon.HTTP_409,
    TooLarge: falcon.HTTP_413,
    BundleError: falcon.HTTP_422,
    RateLimited: falcon.HTTP_429,
    Overloaded: falcon.HTTP_503,
    BackendError: falcon.HTTP_500,
    ProviderError: falcon.HTTP_500,
    StoreError: falcon.HTTP_500,
    WallsError: falcon.HTTP_503,
    Expired: falcon.HTTP_504,
}


def create_app(services: Services, config: Config) -> App:
    """The WSGI application over given services.

    Raises:
        ConfigError: ``tracing`` is on, and OpenTelemetry is not installed.
    """
    base = config.base
    quiet = frozenset(base + path for path in QUIET)
    gate = gate_of(config)
    authorize, rate = Authorize(gate, config.base), _rate(config, gate, quiet)
    router = CompiledRouter()
    application = App(
        middleware=_middleware(config, gate, authorize, rate, quiet), router=router
    )
    application.door = Door(router, authorize, rate, gate.address_of)
    handlers = Handlers(
        {
            falcon.MEDIA_JSON: JSONHandler(dumps=to_json, loads=orjson.loads),
        }
    )
    application.req_options.media_handlers = handlers
    application.req_options.strip_url_path_trailing_slash = True
    application.resp_options.media_handlers = handlers
    application.set_error_serializer(_serialize_error)
    refused = Seldom()
    for error, status in STATUS.items():
        application.add_error_handler(error, _answer_with(status, refused))
    application.add_error_handler(Exception, _answer_bug)
    _tell_build()

    predicting = (services.predictor, config.max_body_bytes)
    predict_image = PredictImage(*predicting)
    predict_json = PredictJson(*predicting)
    predict_proto = PredictProto(*predicting)
    delete = Delete(services.publisher, config.max_body_bytes)
    route = application.add_route
    live = Live()
    route(base or "/", Page(services.catalogue, base))
    route(base + "/models", Models(services.catalogue))
    route(base + "/models/{name}", Model(services.catalogue))
    route(base + "/models/{name}/labels", Labels(services.catalogue))
    route(
        base + "/models/{name}/labels/{label}",
        Label(services.publisher, config.max_body_bytes),
    )
    version = ModelVersion(services.catalogue, services.publisher)
    route(base + "/models/{name}/{version}", version)
    route(base + "/models/{name}/{version}/bundle", Archive(services.catalogue))
    route(base + "/params", Params(services.publisher, config.max_body_bytes))
    route(base + "/params/{name}", ModelParams(services.catalogue))
    route(base + "/upload", Upload(services.publisher))
    route(base + "/delete", delete)
    route(base + "/delete/{name}", delete, suffix="named")
    route(base + "/predict", Predict(predict_image, predict_json, predict_proto))
    route(base + "/predict/image", predict_image)
    route(base + "/image", predict_image)
    route(base + "/predict/json", predict_json)
    route(base + "/json", predict_json)
    route(base + "/predict/proto", predict_proto)
    route(base + "/proto", predict_proto)
    route(base + "/livez", live)
    route(base + "/healthz", live)
    route(base + "/readyz", Ready(services.store, services.preloader))
    route(base + "/metrics", Metrics())
    route(base + "/status", Status(config, services.registry))
    netron = Netron(base)
    route(base + "/netron", netron)
    route(base + "/netron/{file}", netron, suffix="file")
    route(base + "/download/{name}/{file:path}", Download(services.store))
    route(base + "/favicon.ico", Favicon())
    add_static_folders(application, base, Path(config.static_dir))
    return application


def _rate(config: Config, gate: Gate, quiet: frozenset[str]) -> Rate | None:
    if not config.rate:
        return None
    # Only then: its library takes 3 MB of each worker.
    from runtime.limiter import RateLimiter

    return Rate(RateLimiter(config.rate), quiet, gate.address_of)


def _middleware(
    config: Config,
    gate: Gate,
    authorize: Authorize,
    rate: Rate | None,
    quiet: frozenset[str],
) -> list[Any]:
    """In the order in which they see a request; a reply goes the other way."""
    tracing = Tracing() if config.tracing else None
    return [
        Watch(quiet, tracing, config.timeout_ms, gate.address_of),
        *([rate] if rate else []),
        Refuse(),
        authorize,
        ChunkedBodies(config.max_body_bytes),
        Render(),
    ]


def _tell_build() -> None:
    BUILD_INFO.labels(
        __version__,
        platform.python_version(),
        onnxruntime.__version__,
        ",".join(onnxruntime.get_available_providers()),
    ).set(1)


def get_app(config: Config) -> App:
    """What a server runs: logs set up, store swept, models loading and converted."""
    set_up_logs(config)
    services = create_services(config)
    services.preloader.start()
    services.converter.start()
    return create_app(services, config)


def __getattr__(name: str) -> App:
    """Build ``app`` when a server asks for it, and not when a test imports this."""
    if name != "app":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    # Such a server's threads are in one process with the one that reads and writes
    # sockets. A thread whose model has run waits for Python's lock as long as this, by
    # default 5 ms, twice a request: under 64 clients waitress answered 128 a second,
    # and so 1,000.
    sys.setswitchinterval(SWITCH_SECONDS)
    try:
        config = _without_tls(load_config())
        doubts = check_config(config)
        application = get_app(config)
    except DomainError as ex:
        # A server would print a traceback, and its own usage over it.
        sys.exit(f"runtime: {ex}")
    for doubt in (*doubts, gate_of(config).sentence):
        logger.warning("%s", doubt)
    logger.warning("%s", walls.sentence(config.walls, config.run_as_user))
    walls.warn(config.walls)
    drain_under_waitress(config.drain_seconds)
    globals()["app"] = application
    return application


def _without_tls(config: Config) -> Config:
    """A server that takes ``app`` takes no key: it would answer in clear text."""
    if config.server_key:
        raise ConfigError(
            "'serverKey' is set, and only `runtime serve` speaks TLS (waitress-serve"
            " speaks none): start that, or take 'serverKey' and 'serverCrt' out and"
            " put a TLS proxy in front"
        )
    return config


def _answer_with(
    status: str, refused: Seldom
) -> Callable[[falcon.Request, falcon.Response, DomainError, dict[str, Any]], None]:
    def answer(
        req: falcon.Request,
        resp: falcon.Response,
        ex: DomainError,
        params: dict[str, Any],
    ) -> None:
        if isinstance(ex, (Overloaded, Expired)):
            # They are no faults, and come in crowds; the access log has each of them.
            if count := refused.count():
                logger.warning(
                    "%d request%s refused in the last minute or so, this one last:"
                    " %s %s: %s",
                    count,
                    "" if count == 1 else "s",
                    req.method,
                    req.path,
                    ex,
                )
        elif falcon.http_status_to_code(status) >= 500:
            logger.error("%s %s: %s", req.method, req.path, ex, exc_info=ex)
        _answer(req, resp, status, ex, str(ex))

    return answer


def _answer_bug(
    req: falcon.Request, resp: falcon.Response, ex: Exception, params: dict[str, Any]
) -> None:
    """What nobody foresaw: the reason is the log's alone."""
    logger.error("%s %s: %r", req.method, req.path, ex, exc_info=ex)
    _answer(req, resp, falcon.HTTP_500, None, _SENTENCES[falcon.HTTP_500])


def _answer(
    req: falcon.Request,
    resp: falcon.Response,
    status: str | int,
    ex: Exception | None,
    sentence: str,
) -> None:
    reason = _snake(type(ex).__name__) if ex else "unexpected"
    REJECTS.labels(route_of(req), reason).inc()
    resp.status = status
    # The responder may have set others before it failed. Falcon prefers them to media.
    resp.text = resp.data = resp.stream = None
    resp.content_type = falcon.MEDIA_JSON
    resp.media = {"error": sentence}
    if isinstance(ex, Overloaded):
        resp.set_header("Retry-After", RETRY_SECONDS)


# Before a word's first capital, and before the last of several that stand together:
# ModelNotFound is model_not_found, and HTTPRouteNotFound http_route_not_found.
_WORD = re.compile(r"(?<=[a-z])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")


def _snake(name: str) -> str:
    return _WORD.sub("_", name).lower()


def _serialize_error(
    req: falcon.Request, resp: falcon.Response, ex: falcon.HTTPError
) -> None:
    """Falcon's own errors (no route, wrong method, bad form) in the same form."""
    if isinstance(ex, falcon.HTTPMethodNotAllowed):
        allowed = dict(ex.headers or {})["Allow"]
        sentence = f"this route takes {allowed}, and not {req.method}"
    else:
        sentence = ex.description or _SENTENCES.get(ex.status) or str(ex.title)
    _answer(req, resp, ex.status, ex, sentence)


_SENTENCES: dict[object, str] = {
    falcon.HTTP_404: "there is no such route; GET / lists those there are",
    falcon.HTTP_500: "the server failed on this request; its log says why, beside the"
    " id that the reply's X-Request-Id gives",
}
