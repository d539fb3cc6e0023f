"""Calls as httpx's requests, and httpx's answers as replies, for both clients."""

from __future__ import annotations

from collections.abc import AsyncIterable, Iterable
from typing import Any

import httpx

from tfaas_onnx.errors import ClientError
from tfaas_onnx.exchange import Call, Send
from tfaas_onnx.failure import CONNECT_SECONDS
from tfaas_onnx.reply import Reply, error_of, stranger

# A reply that is larger comes from no model that somebody asks over HTTP.
MAX_REPLY_BYTES = 1 << 30

_ARCHIVE_TYPE = "application/gzip"


def request_of(
    http: httpx.Client | httpx.AsyncClient,
    send: Send,
    content: bytes | Iterable[bytes] | AsyncIterable[bytes] | None = None,
) -> httpx.Request:
    """Make the request of an action.

    Args:
        http: the client that will send it.
        send: the action.
        content: the body, as this client can read it; None if there is none.
    """
    call, headers = send.call, dict(send.call.headers)
    if call.is_prediction:
        # The server drops the request when nobody waits for the answer any more.
        headers["X-Timeout-Ms"] = str(max(1, round(send.seconds * 1000)))
    return http.build_request(
        call.method,
        call.path,
        params=dict(call.params) or None,
        headers=headers,
        content=content,
        files=[(field, (name, part)) for field, name, part in call.files] or None,
        timeout=httpx.Timeout(send.seconds, connect=min(send.seconds, CONNECT_SECONDS)),
    )


class Collector:
    """Collects the body of an answer, as far as it may be read.

    Args:
        place: the server's URL, for sentences.
        call: the call.
        most: the most bytes.
    """

    def __init__(self, place: str, call: Call[Any], most: int) -> None:
        self._place = place
        self._call = call
        self._most = most
        self._body = bytearray()

    def add(self, chunk: bytes) -> None:
        """Add some bytes.

        Raises:
            NotAService: the body has too many.
        """
        self._body += chunk
        if len(self._body) > self._most:
            raise stranger(
                self._place,
                f"it answered {self._call.path} with more than {self._most} bytes",
            )

    def reply_of(self, answer: httpx.Response) -> Reply:
        """Make the reply of an answer whose whole body was added."""
        return Reply(
            self._place,
            self._call.method,
            self._call.path,
            answer.status_code,
            answer.reason_phrase,
            answer.headers,
            bytes(self._body),
        )


def is_bundle(answer: httpx.Response) -> bool:
    """Tell whether an answer is a bundle's archive."""
    return answer.is_success and answer.headers.get("Content-Type") == _ARCHIVE_TYPE


def no_bundle(reply: Reply) -> ClientError:
    """Make the error of a reply that is no bundle's archive."""
    if reply.status >= 300:
        return error_of(reply)
    return reply.stranger(f"{reply.path} is no archive")


def length_of(answer: httpx.Response) -> int | None:
    """Return the number of bytes of an answer; None if the server tells none."""
    length = answer.headers.get("Content-Length", "")
    return int(length) if length.isdecimal() else None
