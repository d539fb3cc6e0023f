"""One call to a server, and its repetitions, without a socket.

A call becomes *steps*: a generator that gives actions, and is sent what came of them.
``Client`` and ``AsyncClient`` do the actions, each in its own way, so all that is
decided is decided here once.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Generator, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Generic, NamedTuple, TypeVar

from tfaas_onnx.errors import ClientError, TooManyRequests, Unavailable, Unreachable
from tfaas_onnx.reply import Reply, error_of

T = TypeVar("T")

_BAD_GATEWAY = 502
# The proxy of Ray Serve answers so where others answer 502.
_OF_RAYS_PROXY = 500

# The waits before repetitions begin with this, and each is twice the last.
_FIRST_WAIT = 0.1
_LONGEST_WAIT = 5.0


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
        changes: whether it changes what the server keeps. Such a call is repeated only
            if the server surely did not act.
        params: the query.
        headers: the headers.
        content: the body, if there is one.
        files: the parts of a form, each with the field, the file's name (None for a
            text) and its bytes.
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
    files: tuple[tuple[str, str | None, bytes], ...] = ()
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
        isinstance(ex, Unreachable)
        or ex.status == _BAD_GATEWAY
        or (ex.is_proxys and ex.status == _OF_RAYS_PROXY)
    )
