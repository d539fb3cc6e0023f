"""A server that is a list of replies, and a clock that waits in no time."""

from __future__ import annotations

import json
from typing import Any

import httpx

from tfaas_onnx.core import Core
from tfaas_onnx.errors import ClientError
from tfaas_onnx.exchange import Body, Patience, Send, Steps, Wait
from tfaas_onnx.reply import Reply

PLACE = "http://service:8083"


class Talk:
    """Does the steps of a client, with replies that are given.

    Args:
        replies: a ``Reply``'s status, headers and content for each request, or an
            error.
        retries: the most repetitions.
        seconds: the client's patience.
        chance: the number that chance gives.

    Attributes:
        sent: the actions that were sent.
        waits: the seconds of each wait.
    """

    def __init__(
        self, *replies: Any, retries: int = 2, seconds: float = 30, chance: float = 0
    ) -> None:
        self._replies = list(replies)
        self.now = 0.0
        self.sent: list[Send] = []
        self.waits: list[float] = []
        self.patience = Patience(seconds, retries, lambda: self.now, lambda: chance)
        self.core = Core(PLACE, self.patience)

    def run(self, steps: Steps[Any]) -> Any:
        """Do the steps, and return their result."""
        try:
            action = next(steps)
            while True:
                try:
                    reply = self._do(action)
                except ClientError as ex:
                    action = steps.throw(ex)
                else:
                    action = steps.send(reply)
        except StopIteration as end:
            return end.value

    def _do(self, action: Send | Wait) -> Reply | None:
        if isinstance(action, Wait):
            self.waits.append(action.seconds)
            self.now += action.seconds
            return None
        self.sent.append(action)
        if isinstance(action.call.content, Body):
            b"".join(action.call.content.open())
        answer = self._replies.pop(0)
        if isinstance(answer, ClientError):
            raise answer
        status, headers, content = answer
        body = content if isinstance(content, bytes) else json.dumps(content).encode()
        call = action.call
        reason = httpx.codes.get_reason_phrase(status)
        return Reply(
            PLACE, call.method, call.path, status, reason, httpx.Headers(headers), body
        )
