"""The table of errors: each error is answered with its status."""

from __future__ import annotations

import logging
import re
from typing import Any, NamedTuple, TypedDict

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
from runtime.http.reply import Headers
from runtime.telemetry.logs import Seldom
from runtime.telemetry.metrics import REJECTS

logger = logging.getLogger(__name__)


# A client asks an overloaded server again after so many seconds.
RETRY_SECONDS = "1"
_HEADERS: dict[type[DomainError], Headers] = {
    Overloaded: (("Retry-After", RETRY_SECONDS),),
    Unauthorized: (("WWW-Authenticate", "Bearer"),),
}


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


class ErrorBody(TypedDict):
    """The body of each error.

    Attributes:
        error: a sentence that says what is wrong and what to do.
    """

    error: str


class Refusal(NamedTuple):
    """The answer to a request that failed.

    Attributes:
        status: the status with its phrase, such as ``404 Not Found``.
        sentence: the sentence that the client reads.
        headers: more headers, such as the time to wait.
    """

    status: str
    sentence: str
    headers: Headers

    @property
    def media(self) -> ErrorBody:
        """The body, before it becomes JSON."""
        return {"error": self.sentence}


class Errors:
    """Makes the answer to each error; a bug is answered with 500 and no reason."""

    def __init__(self) -> None:
        self._refused = Seldom()

    def refusal_of(self, ex: Exception, method: str, path: str, route: str) -> Refusal:
        """Log and count an error, and make its answer.

        Args:
            ex: the error.
            method: the request's method.
            path: the path that was asked.
            route: the route's template; ``unknown`` if there is none.
        """
        if isinstance(ex, falcon.HTTPError):
            refusal = _of_falcon(ex, method)
            reason = reason_of(type(ex))
        elif isinstance(ex, DomainError):
            kind = next(kind for kind in type(ex).__mro__ if kind in STATUS)
            refusal = Refusal(STATUS[kind], str(ex), _HEADERS.get(kind, ()))
            reason = reason_of(type(ex))
            self._log(ex, refusal, method, path)
        else:
            # Only the log has the reason of an error that nobody foresaw.
            logger.error("%s %s: %r", method, path, ex, exc_info=ex)
            refusal = Refusal(falcon.HTTP_500, _SENTENCES[falcon.HTTP_500], ())
            reason = "unexpected"
        REJECTS.labels(route, reason).inc()
        return refusal

    def _log(self, ex: DomainError, refusal: Refusal, method: str, path: str) -> None:
        if isinstance(ex, (Overloaded, Expired, InputRefused)):
            # These errors are no faults, and come in crowds. The access log has each.
            # The engine's own words tell more of an input that it refused.
            if count := self._refused.count():
                logger.warning(
                    "%d request%s refused in the last minute or so, this one last:"
                    " %s %s: %s",
                    count,
                    "" if count == 1 else "s",
                    method,
                    path,
                    ex.__cause__ or ex,
                )
        elif refusal.status >= "5":
            logger.error("%s %s: %s", method, path, ex, exc_info=ex)

    def add_to(self, application: falcon.App[falcon.Request, falcon.Response]) -> None:
        """Let Falcon answer all errors so."""

        def answer(
            req: falcon.Request,
            resp: falcon.Response,
            ex: Exception,
            params: dict[str, Any],
        ) -> None:
            refusal = self.refusal_of(ex, req.method, req.path, route_of(req))
            resp.status = refusal.status
            # The responder may have set these before it failed. Falcon prefers them to
            # media.
            resp.text = resp.data = resp.stream = None
            resp.content_type = falcon.MEDIA_JSON
            resp.media = refusal.media
            resp.set_headers(refusal.headers)

        application.add_error_handler(Exception, answer)
        application.add_error_handler(falcon.HTTPError, answer)


def _of_falcon(ex: falcon.HTTPError, method: str) -> Refusal:
    """Write Falcon's own errors (no route, wrong method, bad form) in the same form."""
    status = falcon.code_to_http_status(ex.status)
    headers = dict(ex.headers or {})
    if isinstance(ex, falcon.HTTPMethodNotAllowed):
        sentence = f"this route takes {headers['Allow']}, and not {method}"
    else:
        sentence = ex.description or _SENTENCES.get(status) or str(ex.title)
    return Refusal(status, sentence, tuple(headers.items()))


# A word begins at its first capital. The last of several capitals begins the next word:
# ModelNotFound is model_not_found, and HTTPRouteNotFound is http_route_not_found.
_WORD = re.compile(r"(?<=[a-z])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")


def reason_of(error: type[Exception]) -> str:
    """Return the word for an error in the metrics."""
    return _WORD.sub("_", error.__name__).lower()


_SENTENCES: dict[object, str] = {
    falcon.HTTP_404: "there is no such route; GET /docs lists the routes",
    falcon.HTTP_500: "the server failed on this request; its log says why, under the"
    " id in the reply's X-Request-Id",
}
