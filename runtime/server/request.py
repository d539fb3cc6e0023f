"""One request on its way through the front."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from enum import Enum
from typing import TYPE_CHECKING, Any

from runtime.http.environ_keys import CORS, DEADLINE
from runtime.http.routes import Lane
from runtime.lane import Fiber
from runtime.server.bodies import BodyStream
from runtime.server.environ import Environ
from runtime.server.parser import Refusal
from runtime.server.room import Held
from runtime.telemetry.journey import Deadline

if TYPE_CHECKING:
    from runtime.server.connection import Connection

Headers = list[tuple[str, str]]
App = Callable[[Environ, Callable[..., Any]], Iterable[bytes]]


class Body(Enum):
    """The way in which a request's body is taken."""

    UNREAD = "there is none, or nobody reads it"
    WHOLE = "it is gathered before the request is answered"
    STREAMED = "the application reads it as it comes"


class Request:
    """A request that is not yet answered.

    Args:
        client: the connection that it came by; it belongs to the network's thread.
        environ: its environ, without a body.
        keeps: whether the client can send another request on the same connection.

    Attributes:
        app: the application that answers it, from its head on.
        body: the whole body, when it has come.
        taken: the way in which the body is taken.
        stream: the body that the application reads as it comes.
        held: the room that is counted for the body.
        fiber: the fiber in which it is answered, if it is in the quick lane.
        is_unread: whether a part of its body will not be read.
        is_over: whether it was answered, or its client has left.
        lane: the lane of its route; None as long as nobody asked.
        refusal: the reply of the connection itself to bytes that are no request.
    """

    app: App

    # Few requests have values of their own for these, so none takes time to set them.
    body = b""
    taken = Body.UNREAD
    enough = 0
    stream: BodyStream | None = None
    held: Held | None = None
    fiber: Fiber | None = None
    is_unread = False
    is_over = False
    lane: Lane | None = None
    refusal: Refusal | None = None
    _parts: list[bytes] | None = None
    _size = 0

    def __init__(self, client: Connection, environ: Environ, keeps: bool) -> None:
        self.client = client
        self.environ = environ
        self.keeps = keeps

    @property
    def deadline(self) -> Deadline:
        """The request's deadline, which the application shares."""
        deadline: Deadline = self.environ.setdefault(DEADLINE, Deadline())
        return deadline

    def own_headers(self) -> Headers:
        """Return the headers of a reply that the server makes in the app's place."""
        return list(self.environ.get(CORS, ()))

    def add(self, piece: bytes) -> bool:
        """Add a piece of a body that is gathered; tell whether more is wanted."""
        if self._parts is None:
            self._parts = []
        self._parts.append(piece)
        self._size += len(piece)
        return self._size < self.enough

    def gather(self) -> None:
        """Join the pieces that came to the body."""
        parts, self._parts = self._parts or (), None
        self.body = parts[0] if len(parts) == 1 else b"".join(parts)

    def drop(self) -> None:
        """Forget the pieces that came."""
        self._parts = None

    def leave(self) -> None:
        """Note that the client has left, so the request need not be run."""
        self.deadline.is_gone = True
        if self.stream is not None:
            self.stream.end(is_whole=False)
        elif self.fiber is not None:
            self.fiber.leave()


class Start:
    """WSGI's ``start_response``."""

    __slots__ = ("headers", "status")

    def __call__(self, status: str, headers: Headers, exc_info: object = None) -> None:
        """Note the status, such as ``200 OK``, and the headers."""
        self.status = int(status[:3])
        self.headers = headers
