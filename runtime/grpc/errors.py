"""The table of errors: each error is answered with its status of gRPC."""

from __future__ import annotations

from typing import NamedTuple

import grpc

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
from runtime.refusals import Refusals

_Code = grpc.StatusCode

# The status that says the same as the HTTP status of the error. INTERNAL is the
# server's fault alone, and UNAVAILABLE asks the client to come again.
CODE: dict[type[DomainError], grpc.StatusCode] = {
    ArchiveError: _Code.INVALID_ARGUMENT,
    ImageError: _Code.INVALID_ARGUMENT,
    InputRefused: _Code.INVALID_ARGUMENT,
    InvalidInput: _Code.INVALID_ARGUMENT,
    ShapeError: _Code.INVALID_ARGUMENT,
    Unauthorized: _Code.UNAUTHENTICATED,
    Forbidden: _Code.PERMISSION_DENIED,
    ModelNotFound: _Code.NOT_FOUND,
    TooSlow: _Code.DEADLINE_EXCEEDED,
    ConflictError: _Code.ABORTED,
    # grpcio itself answers so, where a message is above the limit.
    TooLarge: _Code.RESOURCE_EXHAUSTED,
    BundleError: _Code.FAILED_PRECONDITION,
    RateLimited: _Code.RESOURCE_EXHAUSTED,
    NotOffered: _Code.UNIMPLEMENTED,
    Overloaded: _Code.UNAVAILABLE,
    BackendError: _Code.INTERNAL,
    ProviderError: _Code.INTERNAL,
    StoreError: _Code.INTERNAL,
    StoreUnreachable: _Code.UNAVAILABLE,
    WallsError: _Code.UNAVAILABLE,
    Expired: _Code.DEADLINE_EXCEEDED,
}

# The log and the metrics have one scale for all doors, which is HTTP's. Google's own
# table of both is in google/rpc/code.proto.
STATUS: dict[grpc.StatusCode, int] = {
    _Code.OK: 200,
    _Code.INVALID_ARGUMENT: 400,
    _Code.FAILED_PRECONDITION: 400,
    _Code.UNAUTHENTICATED: 401,
    _Code.PERMISSION_DENIED: 403,
    _Code.NOT_FOUND: 404,
    _Code.ABORTED: 409,
    _Code.RESOURCE_EXHAUSTED: 429,
    _Code.CANCELLED: 499,
    _Code.UNIMPLEMENTED: 501,
    _Code.INTERNAL: 500,
    _Code.UNAVAILABLE: 503,
    _Code.DEADLINE_EXCEEDED: 504,
}

_FAULTS = (_Code.INTERNAL, _Code.UNAVAILABLE, _Code.DEADLINE_EXCEEDED)
_BUG = "the server failed on this request; its log says why, under the request's id"


class Refusal(NamedTuple):
    """The answer to a call that failed.

    Attributes:
        code: the status.
        sentence: the sentence that the client reads.
    """

    code: grpc.StatusCode
    sentence: str


class Errors:
    """Makes the answer to each error; a bug is answered with INTERNAL and no reason."""

    def __init__(self) -> None:
        self._refusals = Refusals()

    def refusal_of(self, ex: Exception, path: str) -> Refusal:
        """Log and count an error, and make its answer.

        Args:
            ex: the error.
            path: the path of the method.
        """
        refusal = Refusal(_Code.INTERNAL, _BUG)
        if isinstance(ex, DomainError):
            kind = next(kind for kind in type(ex).__mro__ if kind in CODE)
            refusal = Refusal(CODE[kind], str(ex))
        self._refusals.note(ex, f"gRPC {path}", path, refusal.code in _FAULTS)
        return refusal
