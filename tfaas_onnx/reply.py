"""A server's reply, and the error that it stands for."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any, NamedTuple

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
)
from tfaas_onnx.shapes import Shape, find_problem

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
        content = _parsed(self.body)
        if problem := find_problem(content, shape):
            raise self.stranger(f"it answered {self.method} {self.path} {problem}")
        return content

    def stranger(self, why: str) -> NotAService:
        """Make the error of a reply that no server of this project gives."""
        return stranger(self.place, why, self.status)


def error_of(reply: Reply) -> ClientError:
    """Make the error of a failed reply, with the server's sentence if it has one.

    Only a server of this project gives a sentence.
    """
    content = _parsed(reply.body)
    kind = _ERRORS.get(reply.status, ServerError if reply.status >= 500 else Refused)
    sentence = content.get("error") if isinstance(content, dict) else None
    is_proxys = not isinstance(sentence, str)
    if not isinstance(sentence, str):
        sentence = _sentence_of(reply)
    return kind(
        sentence,
        status=reply.status,
        request_id=reply.request_id,
        retry_after=_retry_after(reply.headers.get("Retry-After", "")),
        is_proxys=is_proxys,
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


def _parsed(body: bytes) -> object:
    """Return the content of a JSON body; None if it is no JSON."""
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        return None
