"""The table of errors: each error is answered with its status."""

from __future__ import annotations

import logging
import re
from typing import TYPE_CHECKING, Any

import falcon

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
from runtime.backends import InputRefused
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
from runtime.http.middleware.watch import route_of
from runtime.telemetry.logs import Seldom
from runtime.telemetry.metrics import REJECTS

if TYPE_CHECKING:
    from collections.abc import Callable


logger = logging.getLogger(__name__)


# A client asks an overloaded server again after so many seconds.
RETRY_SECONDS = "1"


# 4xx: the sentence tells the client what to send instead. 5xx: the server is at fault.
STATUS: dict[type[DomainError], str] = {
    ArchiveError: falcon.HTTP_400,
    ImageError: falcon.HTTP_400,
    InputRefused: falcon.HTTP_400,
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


def add_errors(application: falcon.App[falcon.Request, falcon.Response]) -> None:
    """Let the table answer each error; a bug is answered with 500 and no reason."""
    application.set_error_serializer(_serialize_error)
    refused = Seldom()
    for error, status in STATUS.items():
        application.add_error_handler(error, _answer_with(status, refused))
    application.add_error_handler(Exception, _answer_bug)


def _answer_with(
    status: str, refused: Seldom
) -> Callable[[falcon.Request, falcon.Response, DomainError, dict[str, Any]], None]:
    def answer(
        req: falcon.Request,
        resp: falcon.Response,
        ex: DomainError,
        params: dict[str, Any],
    ) -> None:
        if isinstance(ex, (Overloaded, Expired, InputRefused)):
            # These errors are no faults, and come in crowds. The access log has each.
            # The engine's own words tell more of an input that it refused.
            if count := refused.count():
                logger.warning(
                    "%d request%s refused in the last minute or so, this one last:"
                    " %s %s: %s",
                    count,
                    "" if count == 1 else "s",
                    req.method,
                    req.path,
                    ex.__cause__ or ex,
                )
        elif falcon.http_status_to_code(status) >= 500:
            logger.error("%s %s: %s", req.method, req.path, ex, exc_info=ex)
        _answer(req, resp, status, ex, str(ex))

    return answer


def _answer_bug(
    req: falcon.Request, resp: falcon.Response, ex: Exception, params: dict[str, Any]
) -> None:
    """Answer an error that nobody foresaw; only the log has its reason."""
    logger.error("%s %s: %r", req.method, req.path, ex, exc_info=ex)
    _answer(req, resp, falcon.HTTP_500, None, _SENTENCES[falcon.HTTP_500])


def _answer(
    req: falcon.Request,
    resp: falcon.Response,
    status: str | int,
    ex: Exception | None,
    sentence: str,
) -> None:
    reason = reason_of(type(ex)) if ex else "unexpected"
    REJECTS.labels(route_of(req), reason).inc()
    resp.status = status
    # The responder may have set these before it failed. Falcon prefers them to media.
    resp.text = resp.data = resp.stream = None
    resp.content_type = falcon.MEDIA_JSON
    resp.media = {"error": sentence}
    if isinstance(ex, Overloaded):
        resp.set_header("Retry-After", RETRY_SECONDS)


# A word begins at its first capital. The last of several capitals begins the next word:
# ModelNotFound is model_not_found, and HTTPRouteNotFound is http_route_not_found.
_WORD = re.compile(r"(?<=[a-z])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")


def reason_of(error: type[Exception]) -> str:
    """Return the word for an error in the metrics."""
    return _WORD.sub("_", error.__name__).lower()


def _serialize_error(
    req: falcon.Request, resp: falcon.Response, ex: falcon.HTTPError
) -> None:
    """Write Falcon's own errors (no route, wrong method, bad form) in the same form."""
    if isinstance(ex, falcon.HTTPMethodNotAllowed):
        allowed = dict(ex.headers or {})["Allow"]
        sentence = f"this route takes {allowed}, and not {req.method}"
    else:
        sentence = ex.description or _SENTENCES.get(ex.status) or str(ex.title)
    _answer(req, resp, ex.status, ex, sentence)


_SENTENCES: dict[object, str] = {
    falcon.HTTP_404: "there is no such route; GET / lists the routes",
    falcon.HTTP_500: "the server failed on this request; its log says why, under the"
    " id in the reply's X-Request-Id",
}
