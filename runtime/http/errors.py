"""The table of errors: each error is answered with its status."""

from __future__ import annotations

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
    StoreUnreachable,
    TooLarge,
)
from runtime.backends import InputRefused
from runtime.errors import (
    BackendError,
    Expired,
    Forbidden,
    InvalidInput,
    NotOffered,
    Overloaded,
    ProviderError,
    RateLimited,
    TooSlow,
    Unauthorized,
    WallsError,
)
from runtime.http.middleware.watch import route_of
from runtime.http.reply import Headers
from runtime.refusals import Refusals, reason_of
from runtime.telemetry.metrics import REJECTS

# A client asks an overloaded server again after so many seconds.
RETRY_SECONDS = "1"
_HEADERS: dict[type[DomainError], Headers] = {
    Overloaded: (("Retry-After", RETRY_SECONDS),),
    StoreUnreachable: (("Retry-After", RETRY_SECONDS),),
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
    NotOffered: falcon.HTTP_501,
    Overloaded: falcon.HTTP_503,
    BackendError: falcon.HTTP_500,
    ProviderError: falcon.HTTP_500,
    StoreError: falcon.HTTP_500,
    StoreUnreachable: falcon.HTTP_503,
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
    """Makes the answer to each error; a bug is answered with 500 and no reason.

    Args:
        base: config.json's ``base``.
    """

    def __init__(self, base: str = "") -> None:
        self._refusals = Refusals()
        self._v1 = f"{base}/v1/"

    def refusal_of(self, ex: Exception, method: str, path: str, route: str) -> Refusal:
        """Log and count an error, and make its answer.

        Args:
            ex: the error.
            method: the request's method.
            path: the path that was asked.
            route: the route's template; ``unknown`` if there is none.
        """
        if isinstance(ex, falcon.HTTPError):
            REJECTS.labels(route, reason_of(type(ex))).inc()
            return self._of_falcon(ex, method, path)
        if isinstance(ex, DomainError):
            kind = next(kind for kind in type(ex).__mro__ if kind in STATUS)
            refusal = Refusal(STATUS[kind], str(ex), _HEADERS.get(kind, ()))
        else:
            # Only the log has the reason of an error that nobody foresaw.
            refusal = Refusal(falcon.HTTP_500, _SENTENCES[falcon.HTTP_500], ())
        is_fault = refusal.status >= "5"
        self._refusals.note(ex, f"{method} {path}", route, is_fault)
        return refusal

    def _of_falcon(self, ex: falcon.HTTPError, method: str, path: str) -> Refusal:
        """Write Falcon's own errors (no route, wrong method, bad form)."""
        if isinstance(ex, _NO_ROUTE) and path.startswith(self._v1):
            # TensorFlow Serving has one answer to all that its API does not know.
            sentence = f"Malformed request: {method[:32]} {path[:256]}"
            return Refusal(falcon.HTTP_400, sentence, ())
        return _of_falcon(ex, method)

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
    """Write Falcon's own errors in the form of all others."""
    status = falcon.code_to_http_status(ex.status)
    headers = dict(ex.headers or {})
    if isinstance(ex, falcon.HTTPMethodNotAllowed):
        sentence = f"this route takes {headers['Allow']}, and not {method}"
    else:
        sentence = ex.description or _SENTENCES.get(status) or str(ex.title)
    return Refusal(status, sentence, tuple(headers.items()))


_NO_ROUTE = (falcon.HTTPMethodNotAllowed, falcon.HTTPRouteNotFound)

_SENTENCES: dict[object, str] = {
    falcon.HTTP_404: "there is no such route; GET /docs lists the routes",
    falcon.HTTP_500: "the server failed on this request; its log says why, under the"
    " id in the reply's X-Request-Id",
}
