"""One call to a server, and its repetitions, without a socket.

A call becomes *steps*: a generator that gives actions, and is sent what came of them.
``Client`` and ``AsyncClient`` do the actions, each in its own way, so all that is
decided is decided here once.
"""

from __future__ import annotations

import json
import random
import time
from collections.abc import Callable, Generator, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any, Generic, NamedTuple, TypeVar

from tfaas_onnx.errors import (
    ClientError,
    Conflict,
    Forbidden,
    InvalidInput,
    NotAService,
    NotFound,
    Refused,
    ServerError,
    Timeout,
    TooManyRequests,
    Unauthorized,
    Unavailable,
    Unreachable,
)
from tfaas_onnx.shapes import Shape, find_problem

T = TypeVar("T")

_ERRORS: dict[int, type[ClientError]] = {
    400: InvalidInput,
    401: Unauthorized,
    403: Forbidden,
    404: NotFound,
    408: Timeout,
    409: Conflict,
    413: InvalidInput,
    415: InvalidInput,
    422: InvalidInput,
    429: TooManyRequests,
    503: Unavailable,
    504: Timeout,
}
_BAD_GATEWAY = 502

# The waits before repetitions begin with this, and each is twice the last.
_FIRST_WAIT = 0.1
_LONGEST_WAIT = 5.0


class Reply(NamedTuple):
    """A server's reply.

    Attributes:
        place: the server's URL, for sentences.
        method: the method of the request.
        path: its path below that URL.
        status: the reply's status.
        reason: the status' phrase.
        headers: its headers; the case of their names does not matter.
        body: its whole body.
    """

    place: str
    method: str
    path: str
    status: int
    reason: str
    headers: Mapping[str, str]
    body: bytes

    @property
    def request_id(self) -> str:
        """The id of the request in the server's log."""
        return self.headers.get("X-Request-Id", "")

    def json(self, shape: Shape) -> Any:
        """Return the content of a JSON reply.

        Raises:
            NotAService: it has another shape.
        """
        content = parsed(self.body)
        if problem := find_problem(content, shape):
            raise self.stranger(f"it answered {self.method} {self.path} {problem}")
        return content

    def stranger(self, why: str) -> NotAService:
        """Make the error of a reply that no server of this project gives."""
        return stranger(self.place, why, self.status)


@dataclass(frozen=True)
class Body:
    """The body of an upload.

    Attributes:
        open: a function that gives its bytes.
        length: the number of its bytes; None if nobody knows it before the end.
        is_once: whether its bytes can be read only once.
    """

    open: Callable[[], Iterable[bytes]]
    length: int | None
    is_once: bool = False


@dataclass(frozen=True)
class Call(Generic[T]):
    """A request, and the way to read its reply.

    Attributes:
        method: the HTTP method.
        path: the path below the server's URL.
        read: a function that reads a reply with a status below 400.
        changes: whether it changes the server's models. Such a call is repeated only if
            the server surely did not act.
        params: the query.
        headers: the headers.
        content: the body, if there is one.
        files: the parts of a form, each with the field, the file's name and its bytes.
        seconds: the longest silence, and the time for repetitions; None for the
            client's.
        is_prediction: whether the server may drop it when nobody waits for it any more.
    """

    method: str
    path: str
    read: Callable[[Reply], T]
    changes: bool = False
    params: Mapping[str, str] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    content: bytes | Body | None = None
    files: tuple[tuple[str, str, bytes], ...] = ()
    seconds: float | None = None
    is_prediction: bool = False


class Send(NamedTuple):
    """The action to send a request; a ``Reply`` comes of it.

    Attributes:
        call: the call.
        seconds: the longest silence that is allowed.
    """

    call: Call[Any]
    seconds: float


class Wait(NamedTuple):
    """The action to wait; nothing comes of it.

    Attributes:
        seconds: the time to wait.
    """

    seconds: float


Steps = Generator[Send | Wait, Any, T]


@dataclass(frozen=True)
class Patience:
    """The rule by which calls are repeated.

    Attributes:
        seconds: the longest silence of a server. No repetition begins after this time.
        retries: the most repetitions of a call.
        clock: a clock in seconds.
        chance: a function that gives a number from 0 to 1.
    """

    seconds: float = 30.0
    retries: int = 2
    clock: Callable[[], float] = time.monotonic
    chance: Callable[[], float] = random.random

    def wait(self, turn: int, ex: ClientError) -> float:
        """Return the seconds before the repetition after attempt ``turn``, from 0 on.

        A part of it is left to chance, so that many clients do not come back at once.
        """
        if ex.retry_after is not None:
            return ex.retry_after * (1 + self.chance() / 4)
        longest = min(_FIRST_WAIT * 2.0**turn, _LONGEST_WAIT)
        return longest * (1 + self.chance()) / 2


def steps_of(call: Call[T], patience: Patience) -> Steps[T]:
    """Give the steps of one call, with its repetitions.

    Raises:
        ClientError: the call failed, and no repetition may help or is in time.
    """
    seconds = patience.seconds if call.seconds is None else call.seconds
    end = patience.clock() + seconds
    turn = 0
    while True:
        try:
            reply: Reply = yield Send(call, seconds)
            if reply.status >= 300:
                raise error_of(reply)
            return call.read(reply)
        except ClientError as ex:
            pause = patience.wait(turn, ex)
            seconds = end - patience.clock() - pause
            if turn >= patience.retries or not _may_help(call, ex) or seconds <= 0:
                raise
        yield Wait(pause)
        turn += 1


def _may_help(call: Call[Any], ex: ClientError) -> bool:
    """Tell whether a call may be repeated after an error."""
    if isinstance(ex, Unreachable) and not ex.was_connected:
        return ex.may_pass  # nobody got the request
    if isinstance(call.content, Body) and call.content.is_once:
        return False
    if isinstance(ex, TooManyRequests):
        return True
    if isinstance(ex, Unavailable):
        # The service sends Retry-After with what it did not begin.
        return not call.changes or ex.retry_after is not None
    return not call.changes and (
        isinstance(ex, Unreachable) or ex.status == _BAD_GATEWAY
    )


def error_of(reply: Reply) -> ClientError:
    """Make the error of a failed reply, with the server's sentence if it has one.

    Only a server of this project gives a sentence.
    """
    content = parsed(reply.body)
    kind = _ERRORS.get(reply.status, ServerError if reply.status >= 500 else Refused)
    sentence = content.get("error") if isinstance(content, dict) else None
    if not isinstance(sentence, str):
        sentence = _sentence_of(reply)
    return kind(
        sentence,
        status=reply.status,
        request_id=reply.request_id,
        retry_after=_retry_after(reply.headers.get("Retry-After", "")),
    )


def stranger(place: str, why: str, status: int | None = None) -> NotAService:
    """Make the error of a server that is another program."""
    return NotAService(
        f"{place} is no tfaas-onnx service: {why}; the URL must end with the service's"
        " 'base', if it has one",
        status=status,
    )


def _sentence_of(reply: Reply) -> str:
    """Write the sentence of a reply that has none, such as a proxy's."""
    status = f"{reply.status} {reply.reason}".strip()
    if 300 <= reply.status < 400:
        there = reply.headers.get("Location", "another address")
        return f"{reply.place} redirects to {there}; give that as the URL"
    if reply.status >= 500:
        return (
            f"{reply.place} answered {status}, as a proxy does in front of a service"
            " that is down"
        )
    return (
        f"{reply.place} answered {status}: a proxy, or the server itself, does not take"
        " this request"
    )


def _retry_after(text: str) -> float | None:
    """Read the seconds of a Retry-After header, which may be a date, too."""
    if text.isdecimal() and len(text) < 10:
        return float(text)
    try:
        when = parsedate_to_datetime(text)
    except (TypeError, ValueError):
        return None
    if when.tzinfo is None:
        when = when.replace(tzinfo=UTC)
    return max(0.0, (when - datetime.now(UTC)).total_seconds())


def parsed(body: bytes) -> object:
    """Return the content of a JSON body; None if it is no JSON."""
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        return None
