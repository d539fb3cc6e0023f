"""The door: routes, the error table, and the WSGI application.

``create_app`` wires given services and is what tests call; ``app`` is built from
config.json and is what a server calls: ``waitress-serve runtime.app:app``.
"""

from __future__ import annotations

import functools
import logging
import sys
from dataclasses import dataclass
from logging.handlers import WatchedFileHandler
from pathlib import Path
from typing import TYPE_CHECKING, Any

import falcon
import orjson
from falcon.media import Handlers, JSONHandler

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
from bundle.store import ModelStore
from runtime.backends import BackendOptions
from runtime.backends.session_config import read_session_config
from runtime.catalogue import Catalogue
from runtime.config import Config, ConfigError, load_config
from runtime.errors import BackendError, InvalidInput, ProviderError, RateLimited
from runtime.middleware.chunked import ChunkedBodies
from runtime.model import open_model
from runtime.predictor import Predictor
from runtime.publisher import Publisher
from runtime.registry import ModelRegistry
from runtime.resources.models import Delete, ModelParams, Models, Upload
from runtime.resources.page import Page
from runtime.resources.predict import PredictImage
from runtime.resources.static import Download, Favicon, Netron, add_static_folders

if TYPE_CHECKING:
    from collections.abc import Callable

    App = falcon.App[falcon.Request, falcon.Response]

    app: App

logger = logging.getLogger(__name__)

# 4xx: the sentence tells the client what to send instead. 5xx: it is the server's.
STATUS: dict[type[DomainError], str] = {
    ArchiveError: falcon.HTTP_400,
    ImageError: falcon.HTTP_400,
    InvalidInput: falcon.HTTP_400,
    ShapeError: falcon.HTTP_400,
    ModelNotFound: falcon.HTTP_404,
    ConflictError: falcon.HTTP_409,
    TooLarge: falcon.HTTP_413,
    BundleError: falcon.HTTP_422,
    RateLimited: falcon.HTTP_429,
    BackendError: falcon.HTTP_500,
    ProviderError: falcon.HTTP_500,
    StoreError: falcon.HTTP_500,
}


@dataclass(frozen=True)
class Services:
    """What the resources call."""

    store: ModelStore
    registry: ModelRegistry
    predictor: Predictor
    publisher: Publisher
    catalogue: Catalogue


def create_services(config: Config) -> Services:
    """Wire the service's parts; what crashes left in the store is swept away.

    Raises:
        ConfigError: ``modelDir`` is a file, or ``configProto`` cannot be read.
        ProviderError: CUDA is demanded, and this onnxruntime has none.
    """
    if config.model_dir.exists() and not config.model_dir.is_dir():
        raise ConfigError(f"'modelDir' is {config.model_dir}, which is not a folder")
    if config.provider == "cuda":
        from runtime.backends.onnx import require_cuda

        require_cuda()
    read_session_config(config.config_proto)
    options = BackendOptions(onnx=config.onnx, provider=config.provider)
    store = ModelStore(config.model_dir, config.keep_versions)
    store.sweep()
    registry = ModelRegistry(
        store, functools.partial(open_model, options=options), config.cache_limit
    )
    return Services(
        store=store,
        registry=registry,
        predictor=Predictor(registry),
        publisher=Publisher(store, registry, options, config.max_upload_bytes),
        catalogue=Catalogue(store, registry),
    )


def create_app(services: Services, config: Config) -> App:
    """The WSGI application over given services."""
    application: App = falcon.App(middleware=[ChunkedBodies(config.max_body_bytes)])
    handlers = Handlers(
        {
            falcon.MEDIA_JSON: JSONHandler(dumps=_to_json, loads=orjson.loads),
        }
    )
    application.req_options.media_handlers = handlers
    application.req_options.strip_url_path_trailing_slash = True
    application.resp_options.media_handlers = handlers
    application.set_error_serializer(_serialize_error)
    for error, status in STATUS.items():
        application.add_error_handler(error, _answer_with(status))

    predict_image = PredictImage(services.predictor, config.max_body_bytes)
    delete = Delete(services.publisher, config.max_body_bytes)
    route = application.add_route
    base = config.base
    route(base or "/", Page(services.catalogue, base))
    route(base + "/models", Models(services.catalogue))
    route(base + "/params/{name}", ModelParams(services.catalogue))
    route(base + "/upload", Upload(services.publisher))
    route(base + "/delete", delete)
    route(base + "/delete/{name}", delete, suffix="named")
    route(base + "/predict/image", predict_image)
    route(base + "/image", predict_image)
    netron = Netron(base)
    route(base + "/netron", netron)
    route(base + "/netron/{file}", netron, suffix="file")
    route(base + "/download/{name}/{file:path}", Download(services.store))
    route(base + "/favicon.ico", Favicon())
    add_static_folders(application, base, Path(config.static_dir))
    return application


def get_app(config: Config) -> App:
    """The application that a server runs: logs set up, store swept."""
    _set_up_logs(config)
    return create_app(create_services(config), config)


def __getattr__(name: str) -> App:
    """Build ``app`` when a server asks for it, and not when a test imports this."""
    if name != "app":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    try:
        application = get_app(_without_tls(load_config()))
    except DomainError as ex:
        # A server would print a traceback, and its own usage over it.
        sys.exit(f"runtime: {ex}")
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
    status: str,
) -> Callable[[falcon.Request, falcon.Response, DomainError, dict[str, Any]], None]:
    def answer(
        req: falcon.Request,
        resp: falcon.Response,
        ex: DomainError,
        params: dict[str, Any],
    ) -> None:
        if falcon.http_status_to_code(status) >= 500:
            logger.error("%s %s: %s", req.method, req.path, ex, exc_info=ex)
        resp.status = status
        # The responder may have set another before it failed.
        resp.content_type = falcon.MEDIA_JSON
        resp.media = {"error": str(ex)}

    return answer


def _serialize_error(
    req: falcon.Request, resp: falcon.Response, ex: falcon.HTTPError
) -> None:
    """Falcon's own errors (no route, wrong method, bad form) in the same form."""
    resp.content_type = falcon.MEDIA_JSON
    if isinstance(ex, falcon.HTTPMethodNotAllowed):
        allowed = dict(ex.headers or {})["Allow"]
        sentence = f"this route takes {allowed}, and not {req.method}"
    else:
        sentence = ex.description or _SENTENCES.get(ex.status) or str(ex.title)
    resp.media = {"error": sentence}


_SENTENCES: dict[object, str] = {
    falcon.HTTP_404: "there is no such route; GET / lists those there are",
    falcon.HTTP_500: "the server failed on this request; its log says why",
}


def _to_json(media: object) -> bytes:
    # A line's end, or two replies run together in a terminal.
    option = orjson.OPT_SERIALIZE_NUMPY | orjson.OPT_APPEND_NEWLINE
    return orjson.dumps(media, option=option)


def _set_up_logs(config: Config) -> None:
    """Our own loggers only: a library's chatter is its user's to ask for."""
    try:
        handler: logging.Handler = (
            WatchedFileHandler(config.log_file)
            if config.log_file
            else logging.StreamHandler()
        )
    except OSError as ex:
        raise ConfigError(
            f"'logFile' is {config.log_file}, which cannot be written: {ex.strerror}"
        ) from ex
    handler.setFormatter(
        logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s")
    )
    level = (logging.WARNING, logging.INFO, logging.DEBUG)[config.verbose]
    # waitress tells of each request that waits; that is what its queue is for.
    logging.getLogger("waitress.queue").setLevel(logging.ERROR)
    for name in ("bundle", "runtime", "waitress"):
        log = logging.getLogger(name)
        log.setLevel(level)
        log.handlers = [handler]
        log.propagate = False
