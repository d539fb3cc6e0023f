"""The front: it takes granian's requests, and calls the WSGI app in the right thread.

Granian's WSGI gives each request a thread from its head to its reply, even while the
client sends its body. The change between threads costs a quick request a third of its
time. Granian's RSGI gives requests to an event loop, without threads; asyncio's loop
costs as much again. So the front stands in the event loop's place: granian's one thread
calls it for each request, and again when a body has come.
"""

from __future__ import annotations

import contextlib
import functools
import io
import logging
import threading
import time
from collections.abc import Callable, Iterable
from typing import Any, Protocol

from runtime.errors import Overloaded, TooSlow
from runtime.http.environ_keys import ARRIVED, DEADLINE, REFUSED
from runtime.http.routes import Lane
from runtime.process.lane import Handover, run_quickly
from runtime.server.bodies import Awaited, BodyStream, Gathering, Pieces
from runtime.server.environ import Environ, Scope, environ_of
from runtime.server.patience import Patience, Stalled
from runtime.server.room import ALL_BYTES, FREE_BYTES, Held, Room
from runtime.server.streams import send_stream
from runtime.server.threads import Threads
from runtime.telemetry.journey import Deadline

logger = logging.getLogger(__name__)

App = Callable[[Environ, Callable[..., Any]], Iterable[bytes]]
Reply = list[tuple[str, str]]

# A request with a larger body, such as a camera's picture, is not quick to answer.
_QUICK_BYTES = 1 << 16
# The most uploads, and downloads, at a time; their threads wait for clients.
UPLOADS = 32
DOWNLOADS = 64
# So many uploads, and downloads, may wait for a thread. While they wait, a client that
# does nothing loses its thread.
STREAMS_WAITING = 256
# The front looks for slow clients once in so many seconds.
_SWEEP_SECONDS = 1.0

# The front sends these where the application itself cannot answer any more.
_BUSY = b'{"error":"too many downloads at once; try again in a moment"}'
_FAILED = b'{"error":"the server failed on this request; its log says why"}'


class Proto(Protocol):
    """RSGI's protocol, which sends a reply."""

    def __aiter__(self) -> Pieces: ...

    def client_disconnect(self) -> Awaited:
        """Give a result that is there when the client leaves before its reply."""

    def response_bytes(self, status: int, headers: Reply, body: bytes) -> None:
        """Send a whole reply."""

    def response_file(self, status: int, headers: Reply, file: str) -> None:
        """Send a file as fast as the client takes it."""


class Door(Protocol):
    """A door: it decides by a request's head."""

    def takes_body(self, environ: Environ) -> bool:
        """Tell whether to wait for the body; if not, the app refuses the request."""

    def client_of(self, environ: Environ) -> str:
        """Return the address of the request's client."""


class Watcher(Protocol):
    """One of granian's requests."""

    scope: Scope
    proto: Proto

    def done(self) -> None:
        """Tell granian that the request is answered."""


class _Start:
    """WSGI's ``start_response``."""

    __slots__ = ("headers", "status")

    def __call__(self, status: str, headers: Reply, exc_info: object = None) -> None:
        self.status = int(status[:3])
        self.headers = headers


class _Request:
    """A request that is not yet answered.

    Attributes:
        is_streamed: whether the app reads its body as it comes.
        gathering: the body, while it is gathered.
        held: the room that is counted for the body.
        leaving: granian's future, which is done when the client leaves.
    """

    __slots__ = (
        "body",
        "environ",
        "gathering",
        "held",
        "is_streamed",
        "leaving",
        "proto",
        "watcher",
    )

    def __init__(self, watcher: Watcher) -> None:
        self.watcher = watcher
        self.proto = watcher.proto
        self.environ = environ_of(watcher.scope)
        self.body = b""
        self.is_streamed = False
        self.gathering: Gathering | None = None
        self.held: Held | None = None
        self.leaving: Awaited | None = None

    def watch_client(self) -> None:
        """Note when the client leaves, because then the request need not be run."""
        if self.leaving is None:
            deadline = self.environ.setdefault(DEADLINE, Deadline())

            def leave(_: Awaited) -> None:
                deadline.is_gone = True

            self.leaving = self.proto.client_disconnect()
            self.leaving.add_done_callback(leave, context=None)

    def reply(self, status: int, headers: Reply, body: bytes) -> None:
        """Send a whole reply."""
        self.proto.response_bytes(status, headers, body)
        self.done()

    def done(self) -> None:
        """End the request, which is answered, or whose client has left."""
        self.watcher.done()
        if self.leaving is not None:
            self.leaving.cancel()
            self.leaving = None


class Front:
    """The function that granian calls for each request.

    Args:
        app: the WSGI app.
        door: the door that decides by requests' heads.
        lane_of: the function that tells the lane of a path. A request of the quick lane
            that turns out to be slow goes to threads for such requests.
        threads: the number of threads for them, and of those for the other lane.
        max_waiting: the most requests for one model that may wait for a thread.
        max_body_bytes: the most bytes of a body that is not streamed.
        all_body_bytes: the most bytes of all such bodies that come at the same time;
            see ``Room``.
        uploads: the most uploads at a time; each has a thread.
        downloads: the most downloads at a time; each has a thread.
        max_streams_waiting: the most uploads, and downloads, that wait for a thread.
        clock: a clock in seconds that nobody can set back.
    """

    def __init__(
        self,
        app: App,
        door: Door,
        *,
        lane_of: Callable[[str], Lane],
        threads: int,
        max_waiting: int,
        max_body_bytes: int,
        all_body_bytes: int = ALL_BYTES,
        uploads: int = UPLOADS,
        downloads: int = DOWNLOADS,
        max_streams_waiting: int = STREAMS_WAITING,
        clock: Callable[[], float] = time.perf_counter,
    ) -> None:
        self._app = app
        self._door = door
        self._lane_of = lane_of
        self._max_body_bytes = max_body_bytes
        self._clock = clock
        self._work = Threads("work", threads, max_waiting)
        self._others = Threads("other", threads, max_waiting)
        self._uploads = Threads("upload", uploads, max_streams_waiting)
        self._downloads = Threads("download", downloads, max_streams_waiting)
        self._room = Room(max_body_bytes, clock, all_body_bytes)
        self._gathering: set[_Request] = set()
        threading.Thread(target=self._sweep_for_ever, daemon=True).start()

    def __call__(self, watcher: Watcher) -> None:
        """Take a request; it is answered now, or later by another thread."""
        try:
            request = _Request(watcher)
        except Exception:
            logger.exception("a request cannot be read")
            watcher.proto.response_bytes(500, [], _FAILED)
            watcher.done()
        else:
            self._guarded(request, self._begin)

    def _begin(self, request: _Request) -> None:
        environ = request.environ
        length = environ.get("CONTENT_LENGTH", "0")
        has_body = length != "0" or "HTTP_TRANSFER_ENCODING" in environ
        if not has_body or not self._door.takes_body(environ):
            self._answer(request)
        elif self._lane_of(environ["PATH_INFO"]) is Lane.STREAMED:
            request.is_streamed = True
            patience = Patience(lambda: self._uploads.is_wanted)
            environ["wsgi.input"] = BodyStream(request.proto.__aiter__(), patience)
            self._hand_over(self._uploads, "", request)
        elif "HTTP_TRANSFER_ENCODING" in environ:
            self._gather(request, self._max_body_bytes + 1)
        # The app refuses a body that is too large, without reading it.
        elif int(length) > self._max_body_bytes:
            self._answer(request)
        else:
            self._gather(request, int(length))

    def _gather(self, request: _Request, enough: int) -> None:
        come = functools.partial(self._come, request)
        is_counted = enough > FREE_BYTES
        client = self._door.client_of(request.environ) if is_counted else ""
        held = Held(client, self._clock(), functools.partial(_give_up, request))
        take = functools.partial(self._room.take, held)
        gathering = Gathering(request.proto.__aiter__(), enough, take, come)
        request.gathering, request.held = gathering, held
        self._gathering.add(request)
        gathering.start()

    def _come(self, request: _Request, body: bytes | None) -> None:
        """Go on with a body; it is None if the client has left or no more is read."""
        gathering, held = request.gathering, request.held
        assert gathering is not None and held is not None, "it was gathered"
        # The request and the gathering refer to each other. Only Python's garbage
        # collection would free such a pair, with a pause of 0.1 s each time.
        request.gathering = None
        self._gathering.discard(request)
        if body is None:
            self._free(request)
            if gathering.is_given_up:
                request.environ[REFUSED] = TooSlow("the body comes too slowly")
                self._guarded(request, self._call)
            elif gathering.is_refused:
                request.environ[REFUSED] = Overloaded(
                    "too many large bodies come at once; try again in a moment"
                )
                self._guarded(request, self._call)
            else:
                request.done()
            return
        self._room.come(held)
        request.body = body
        # The client did not tell the length of a chunked body; now it is known.
        if "CONTENT_LENGTH" not in request.environ:
            request.environ["CONTENT_LENGTH"] = str(len(body))
        self._guarded(request, self._answer)

    def _answer(self, request: _Request) -> None:
        """Answer the request here if that is quick, and else in another thread."""
        environ = request.environ
        environ[ARRIVED] = self._clock()
        if REFUSED in environ:
            self._call(request)
        elif self._lane_of(path := environ["PATH_INFO"]) is not Lane.QUICK:
            self._hand_over(self._others, "", request)
        elif len(request.body) > _QUICK_BYTES:
            # The model is not known yet. A path is a safe key, because no model's name
            # starts with "/".
            self._hand_over(self._work, path, request)
        else:
            try:
                run_quickly(functools.partial(self._call, request))
            except Handover as ex:
                self._hand_over(self._work, ex.model or path, request)

    def _hand_over(self, threads: Threads, key: str, request: _Request) -> None:
        if not request.is_streamed:  # a streamed body itself tells when the client left
            request.watch_client()
        call = functools.partial(self._guarded, request, self._call)
        if not threads.offer(key, call):
            what = " for the model" if key else ""
            request.environ[REFUSED] = Overloaded(
                f"{threads.max_waiting} requests wait{what} already; try again in a"
                " moment"
            )
            self._call(request)

    def _call(self, request: _Request) -> None:
        """Call the app, and send its answer."""
        environ = request.environ
        if not request.is_streamed:
            environ["wsgi.input"] = io.BytesIO(request.body)
        start = _Start()
        chunks = self._app(environ, start)
        self._free(request)
        if isinstance(chunks, list):
            request.reply(start.status, start.headers, b"".join(chunks))
            return
        send = functools.partial(self._send, request, start, chunks)
        if not self._downloads.offer("", send):
            getattr(chunks, "close", lambda: None)()
            request.reply(503, [("retry-after", "1")], _BUSY)

    def _send(self, request: _Request, start: _Start, chunks: Iterable[bytes]) -> None:
        send_file = functools.partial(
            request.proto.response_file, start.status, start.headers
        )
        patience = Patience(lambda: self._downloads.is_wanted)
        try:
            send_stream(chunks, send_file, patience)
        except Stalled:
            path = request.environ["PATH_INFO"]
            logger.info("%s is cut short: its client takes nothing", path)
        except Exception:
            logger.exception("a reply broke off")
        finally:
            request.done()

    def _guarded(self, request: _Request, step: Callable[[_Request], None]) -> None:
        """Take one step; an error in granian would end the thread of all requests."""
        try:
            step(request)
        except Exception:
            logger.exception("%s failed", request.environ["PATH_INFO"])
            self._free(request)
            # If the client has left, this reply fails as the one before.
            with contextlib.suppress(Exception):
                request.reply(500, [], _FAILED)

    def _free(self, request: _Request) -> None:
        if request.held is not None:
            self._room.free(request.held)
            request.held = None

    def sweep(self) -> None:
        """Refuse the requests whose bodies come too slowly."""
        now = self._clock()
        for request in list(self._gathering):
            held = request.held
            if held is not None and held.is_slow(now):
                _give_up(request)

    def _sweep_for_ever(self) -> None:
        while True:
            time.sleep(_SWEEP_SECONDS)
            self.sweep()


def _give_up(request: _Request) -> None:
    gathering = request.gathering
    if gathering is not None:
        gathering.give_up()
