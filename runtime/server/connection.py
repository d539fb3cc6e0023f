"""One connection: HTTP/1.1 over asyncio's transport.

Requests of a connection are answered one by one, in their order. The bytes that a
client sends meanwhile wait here as they came, and no more is read from the network.
"""

from __future__ import annotations

import asyncio
from collections import deque
from typing import Protocol, cast

from runtime.server.environ import Environ, environ_of_connection
from runtime.server.parser import Parser, Refusal, Unread
from runtime.server.replies import CONTINUE, Date, chunk_of, head_of
from runtime.server.request import Body, Headers, Request

# A client may send thousands of small requests at once, and each takes far more memory
# than its bytes. So where more than a few come together, the parser gets so many bytes
# at a time.
_SLICE_BYTES = 1 << 11
_FEW_REQUESTS = 4
# After a reply to a request whose body was not read, so many bytes are read and
# dropped, for so many seconds. If the connection were closed at once, the network would
# drop the reply before its client, or a proxy such as nginx, had read it.
LINGER_BYTES = 1 << 26
LINGER_SECONDS = 10.0

_PLAIN: Headers = [("content-type", "application/json")]
_FULL = Refusal(503, b'{"error":"too many connections at once; try again in a moment"}')
_NO_REQUEST: Environ = {"REQUEST_METHOD": "GET", "SERVER_PROTOCOL": "HTTP/1.1"}


class Front(Protocol):
    """The requests' way into the application; see ``front.py``."""

    date: Date
    is_draining: bool

    def joined(self, connection: Connection) -> bool:
        """Note a new connection; tell whether there is room for it."""

    def left(self, connection: Connection) -> None:
        """Note that a connection has ended."""

    def begin(self, request: Request) -> None:
        """Decide by a request's head how its body is taken."""

    def wait_for(self, request: Request) -> None:
        """Note a body that is large, or has not come in one piece with its head."""

    def take(self, request: Request, piece: bytes) -> None:
        """Take a piece of a body that is gathered."""

    def come(self, request: Request) -> None:
        """Note that a body that is gathered has come whole."""

    def answer(self, request: Request) -> None:
        """Answer a request, now or later."""

    def drop(self, request: Request) -> None:
        """Forget a request whose client has left before it was answered."""


class Outlet(Protocol):
    """A reply that comes in pieces; see ``outlet.py``."""

    def drained(self) -> None:
        """Note that the client took most of what was sent."""

    def lost(self) -> None:
        """Note that the client has left."""


class Connection(asyncio.Protocol):
    """The protocol of one connection; all is called in the network's thread.

    Args:
        front: the requests' way into the application.
        loop: the loop that serves the connection.
        linger_bytes: the most bytes that are read and dropped after a reply to a
            request whose body was not read.

    Attributes:
        since: the time, in the loop's seconds, since which the connection waits for a
            whole head.
        is_clogged: whether the client takes its replies too slowly.
    """

    def __init__(
        self,
        front: Front,
        loop: asyncio.AbstractEventLoop,
        linger_bytes: int = LINGER_BYTES,
    ) -> None:
        self._front = front
        self._linger_bytes = linger_bytes
        self._loop = loop
        self._transport: asyncio.Transport | None = None
        self._environ: Environ = {}
        # The request whose body comes; the one that is answered; and those behind it.
        self._coming: Request | None = None
        self._current: Request | None = None
        self._queue: deque[Request] = deque()
        self._unparsed: deque[bytes] = deque()
        self._is_advancing = False
        self._is_deaf = False  # no further request is read
        self._is_ended = False  # the client sends nothing more
        self._is_paused = False
        self._is_held = False  # the reader of a streamed body is behind
        self._lingers: int | None = None
        self._patience: asyncio.TimerHandle | None = None
        self.is_clogged = False
        self.outlet: Outlet | None = None
        self.since = loop.time()

    @property
    def is_idle(self) -> bool:
        """Whether no request of this connection has begun."""
        return self._current is None and self._coming is None and not self._queue

    @property
    def is_lost(self) -> bool:
        """Whether the client has left."""
        return self._transport is None

    # -- what asyncio calls ------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Note the addresses; refuse the connection if there is no room."""
        # uvloop's own class has the methods of this one, and does not inherit it.
        self._transport = cast("asyncio.Transport", transport)
        self._environ = environ_of_connection(
            transport.get_extra_info("sockname"),
            transport.get_extra_info("peername"),
            is_tls=transport.get_extra_info("sslcontext") is not None,
        )
        self._parser = Parser(self, self._environ)
        if not self._front.joined(self):
            self._refuse(_FULL)
            self._advance()

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget the requests that are not answered."""
        self._transport = None
        self._front.left(self)
        if self._patience is not None:
            self._patience.cancel()  # it would hold this connection's memory
        current = self._current
        waiting = {*self._queue, self._coming} - {current, None}
        self._coming = None
        self._queue.clear()
        self._unparsed.clear()
        if self.outlet is not None:
            self.outlet.lost()
        for request in waiting:
            assert request is not None
            request.is_over = True
            self._front.drop(request)
        if current is not None:
            current.leave()

    def eof_received(self) -> bool:
        """Answer what was asked, though the client sends nothing more."""
        self._is_ended = True
        coming, current = self._coming, self._current
        if self._lingers is not None or self._transport is None:
            return False
        if coming is not None:
            # The rest of a body will not come.
            self._coming = None
            self._is_deaf = True
            if coming.stream is not None:
                coming.stream.end(is_whole=False)
            else:
                coming.is_over = True
                self._front.drop(coming)
        if current is not None:
            current.leave()
        return self._current is not None or bool(self._queue or self._unparsed)

    def data_received(self, data: bytes) -> None:
        """Parse what came, and answer the requests that are whole."""
        if self._lingers is not None:
            self._lingers -= len(data)
            if self._lingers < 0:
                self.close()
            return
        if self._unparsed or (
            self._current is not None and self._coming is not self._current
        ):
            self._unparsed.append(data)
            self._pause()
            return
        if (
            len(data) > _SLICE_BYTES
            and self._coming is None
            and _has_many_requests(data)
        ):
            self._unparsed.append(data)
        else:
            self._feed(data)
        self._advance()

    def pause_writing(self) -> None:
        """Answer no further request until the client takes what is sent."""
        self.is_clogged = True
        self._pause()

    def resume_writing(self) -> None:
        """Go on, since the client took most of what was sent."""
        self.is_clogged = False
        if self.outlet is not None:
            self.outlet.drained()
        self._advance()

    # -- what the parser calls ---------------------------------------------------------

    def begin(self, environ: Environ, keeps: bool) -> None:
        """Begin a request by its head, and decide how its body is taken."""
        request = self._coming = Request(self, environ, keeps)
        self._front.begin(request)
        if request.is_unread:
            raise Unread
        if request.taken is Body.STREAMED:
            self._queue.append(request)
        if "HTTP_EXPECT" in environ and request.taken is not Body.UNREAD:
            self._greet(request)

    def take(self, piece: bytes) -> None:
        """Give a piece of a body to whoever takes it."""
        request = self._coming
        if request is None:
            return
        if request.stream is not None:
            request.stream.come(piece)
            return
        if request.held is None:
            if len(piece) == request.enough:
                request.body = piece  # most bodies are small, and come in one piece
                return
            self._front.wait_for(request)
        self._front.take(request, piece)
        if request.is_unread:
            raise Unread

    def complete(self) -> None:
        """Let a whole request wait for its turn."""
        request, self._coming = self._coming, None
        if request is None:
            return
        if request.stream is not None:
            request.stream.end(is_whole=True)
            return
        if request.held is not None:
            self._front.come(request)
        self._queue.append(request)

    def end_after_the_last(self) -> None:
        """Close the connection when the requests that came are answered."""
        requests = [r for r in (self._current, *self._queue) if r is not None]
        if requests:
            requests[-1].keeps = False
        self._read_no_further()

    # -- what the front calls ----------------------------------------------------------

    def hold(self, request: Request, is_held: bool) -> None:
        """Stop reading, or go on; the reader of a streamed body asks for it."""
        self._is_held = is_held and request is self._coming
        if self._is_held:
            self._pause()
        else:
            self._advance()

    def answer_unread(self, request: Request) -> None:
        """Answer a request though the rest of its body will not be read."""
        request.is_unread = True
        request.keeps = False
        self._queue.append(request)
        self._read_no_further()
        self._loop.call_soon(self._advance)

    def reply(
        self, request: Request, status: int, headers: Headers, body: bytes
    ) -> None:
        """Send a whole reply."""
        transport = self._transport
        if transport is None or request.is_over:
            return
        head = head_of(
            status, headers, self._front.date.line, self._word_for(request), len(body)
        )
        if body and request.environ["REQUEST_METHOD"] != "HEAD":
            head += body
        transport.write(head)
        self._finish(request)

    def start_reply(self, request: Request, status: int, headers: Headers) -> bool:
        """Send the head of a reply that comes in pieces; tell whether in chunks."""
        has_length = any(name.lower() == "content-length" for name, _ in headers)
        is_chunked = not has_length
        if is_chunked and request.environ["SERVER_PROTOCOL"] == "HTTP/1.0":
            request.keeps = is_chunked = False  # the end of the connection is its end
        if is_chunked:
            headers = [*headers, ("transfer-encoding", "chunked")]
        word = self._word_for(request)
        if self._transport is not None:
            date = self._front.date.line
            self._transport.write(head_of(status, headers, date, word, None))
        return is_chunked

    def send(self, piece: bytes, *, is_chunked: bool) -> None:
        """Send a piece of a reply."""
        if self._transport is not None and piece:
            self._transport.write(chunk_of(piece) if is_chunked else piece)

    def end_reply(self, request: Request, *, is_chunked: bool, is_whole: bool) -> None:
        """End a reply that came in pieces."""
        self.outlet = None
        if not is_whole:
            # Only a cut connection tells the client that the reply is not whole.
            self.abort()
        elif self._transport is not None:
            if is_chunked:
                self._transport.write(chunk_of(b""))
            self._finish(request)

    def unsent(self) -> int:
        """Return the number of bytes that the client has not taken yet."""
        transport = self._transport
        return 0 if transport is None else transport.get_write_buffer_size()

    def close(self) -> None:
        """Close the connection when all is sent."""
        if self._transport is not None:
            self._transport.close()

    def abort(self) -> None:
        """Close the connection at once."""
        if self._transport is not None:
            self._transport.abort()

    # ----------------------------------------------------------------------------------

    def _word_for(self, request: Request) -> str:
        """Return the reply's header ``Connection``, and decide about the connection."""
        if self._front.is_draining or (
            self._is_ended and not (self._queue or self._unparsed)
        ):
            request.keeps = False
        if not request.keeps:
            return "close"
        is_old = request.environ["SERVER_PROTOCOL"] == "HTTP/1.0"
        return "keep-alive" if is_old else ""

    def _finish(self, request: Request) -> None:
        request.is_over = True
        request.fiber = None
        self._current = None
        self._is_held = False
        self.since = self._loop.time()
        if not request.keeps:
            self._end(unread=request.is_unread)
        elif (self._queue or self._unparsed or self._is_paused or self._is_ended) and (
            not self._is_advancing
        ):
            # This may be the request's own fiber, which must end first.
            self._loop.call_soon(self._advance)

    def _advance(self) -> None:
        """Answer the requests that are whole, and parse what waits, in turn."""
        if self._is_advancing:
            return
        self._is_advancing = True
        try:
            while not (self.is_clogged or self._is_held) and self._lingers is None:
                if self._current is None and self._queue:
                    request = self._current = self._queue.popleft()
                    if request.refusal is None:
                        self._front.answer(request)
                    else:
                        status, body = request.refusal
                        self.reply(request, status, _PLAIN, body)
                elif self._unparsed and (
                    self._current is None or self._coming is self._current
                ):
                    data = self._unparsed.popleft()
                    if self._coming is None and _has_many_requests(data):
                        self._unparsed.appendleft(data[_SLICE_BYTES:])
                        data = data[:_SLICE_BYTES]
                    self._feed(data)
                else:
                    break
        finally:
            self._is_advancing = False
        if self._is_paused:
            self._resume()
        if self._is_ended and self.is_idle and self._lingers is None:
            self.close()

    def _feed(self, data: bytes) -> None:
        if self._is_deaf:
            return
        refusal = self._parser.feed(data, is_of_body=self._coming is not None)
        coming = self._coming
        if refusal is not None:
            self._refuse(refusal)
        elif coming and coming.taken is Body.WHOLE and coming.held is None:
            self._front.wait_for(coming)

    def _greet(self, request: Request) -> None:
        """Ask for the body of a client that waits to be asked."""
        environ = request.environ
        if (
            environ.get("HTTP_EXPECT", "").lower() == "100-continue"
            and environ["SERVER_PROTOCOL"] == "HTTP/1.1"
            and self._transport is not None
        ):
            self._transport.write(CONTINUE)

    def _refuse(self, refusal: Refusal) -> None:
        """Answer bytes that are no request, behind the replies before them."""
        coming = self._coming
        if coming is not None and coming.stream is not None:
            # The application answers when it finds that the body is cut.
            coming.stream.end(is_whole=False)
            coming.is_unread, coming.keeps = True, False
        elif not self._is_last_given:
            if coming is not None:
                coming.is_over = True
                self._front.drop(coming)
            bad = Request(self, {**self._environ, **_NO_REQUEST}, keeps=False)
            bad.is_unread = True
            bad.refusal = refusal
            self._queue.append(bad)
        self._read_no_further()

    def _read_no_further(self) -> None:
        self._is_deaf = True
        self._coming = None
        self._unparsed.clear()

    @property
    def _is_last_given(self) -> bool:
        """Whether the last request that came said that it is the last."""
        last = self._queue[-1] if self._queue else self._current
        return last is not None and not last.keeps

    def _end(self, *, unread: bool) -> None:
        """Close the connection, so that the client can still read the last reply."""
        transport = self._transport
        if transport is None or self._lingers is not None:
            return
        if not unread or self._is_ended:
            transport.close()
            return
        self._lingers = self._linger_bytes
        self._is_deaf = True
        if transport.can_write_eof():
            transport.write_eof()
        self._is_held = False
        if self._is_paused:
            self._resume()
        self._patience = self._loop.call_later(LINGER_SECONDS, self.close)

    def _pause(self) -> None:
        if not self._is_paused and self._transport is not None:
            self._is_paused = True
            self._transport.pause_reading()

    def _resume(self) -> None:
        waits = self.is_clogged or self._is_held or self._unparsed
        if self._lingers is not None or not waits:
            self._is_paused = False
            if self._transport is not None and not self._transport.is_closing():
                self._transport.resume_reading()


def _has_many_requests(data: bytes) -> bool:
    return len(data) > _SLICE_BYTES and data.count(b" HTTP/1.") > _FEW_REQUESTS
