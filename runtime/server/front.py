"""The front: it calls the WSGI app for each request, in the right thread.

One thread of each worker reads the network, parses and answers. A request of the quick
lane runs there, in a fiber (``runtime.lane``); steps that take long are made by the
threads here. All other requests are answered by threads as a whole.
"""

from __future__ import annotations

import asyncio
import functools
import io
import logging
import time
from collections.abc import Callable, Iterable
from typing import Any, Protocol, TypeVar

from greenlet import getcurrent, greenlet

from runtime.errors import Overloaded, TooSlow
from runtime.http.environ_keys import ARRIVED, DEADLINE, REFUSED
from runtime.http.routes import Lane
from runtime.lane import Fiber, elsewhere, too_many
from runtime.server.bodies import BodyStream
from runtime.server.connection import LINGER_BYTES, Connection
from runtime.server.environ import Environ
from runtime.server.errand import Errand
from runtime.server.outlet import Outlet
from runtime.server.patience import Patience, Stalled
from runtime.server.replies import FAILED, Date, UnsafeHeader
from runtime.server.request import App, Body, Request, Start
from runtime.server.room import ALL_BYTES, FREE_BYTES, Held, Room
from runtime.server.threads import Threads
from runtime.telemetry.journey import Deadline

logger = logging.getLogger(__name__)

# A request with a larger body, such as a camera's picture, is not quick to answer.
_QUICK_BYTES = 1 << 16
# The most uploads, and downloads, at a time; their threads wait for clients.
UPLOADS = 32
DOWNLOADS = 64
# So many uploads, and downloads, may wait for a thread. While they wait, a client that
# does nothing loses its thread.
STREAMS_WAITING = 256
# The front looks for slow clients once in so many seconds.
SWEEP_SECONDS = 1.0
# A whole head must come within this time, and so must the next head of a connection
# that is kept. An idle connection would keep other clients waiting.
HEAD_SECONDS = 10.0
# When the service ends, clients may send one more request for so many seconds on the
# connections that they keep; the reply tells them to open another one.
GRACE_SECONDS = 0.5
# The most connections at a time. A connection that only waits takes some 20 KB.
CONNECTIONS = 8192

# The front sends these where the application itself cannot answer any more.
_BUSY = b'{"error":"too many downloads at once; try again in a moment"}'


_Result = TypeVar("_Result")


class Door(Protocol):
    """A door: it decides by a request's head."""

    def takes_body(self, environ: Environ) -> bool:
        """Tell whether to wait for the body; if not, the app refuses the request."""

    def client_of(self, environ: Environ) -> str:
        """Return the address of the request's client."""


class Front:
    """The requests' way into the application; it belongs to one loop.

    Args:
        app: the WSGI app.
        door: the door that decides by requests' heads.
        loop: the loop that serves the connections.
        lane_of: the function that tells the lane of a path.
        threads: the number of threads for steps of quick requests that take long, and
            of those for the other lane.
        max_waiting: the most requests for one model that may wait for a thread.
        max_body_bytes: the most bytes of a body that is not streamed.
        all_body_bytes: the most bytes of all such bodies that come at the same time;
            see ``Room``.
        uploads: the most uploads at a time; each has a thread.
        downloads: the most downloads at a time; each has a thread.
        max_streams_waiting: the most uploads, and downloads, that wait for a thread.
        connections: the most connections at a time.
        grace_seconds: the time in which idle connections may bring one more request
            when the service ends.
        linger_bytes: see ``Connection``.
        clock: a clock in seconds that nobody can set back.

    Attributes:
        date: the header ``Date`` of replies.
        is_draining: whether the service ends, and each connection with its next reply.
    """

    def __init__(
        self,
        app: App,
        door: Door,
        loop: asyncio.AbstractEventLoop,
        *,
        lane_of: Callable[[str], Lane],
        threads: int,
        max_waiting: int,
        max_body_bytes: int,
        all_body_bytes: int = ALL_BYTES,
        uploads: int = UPLOADS,
        downloads: int = DOWNLOADS,
        max_streams_waiting: int = STREAMS_WAITING,
        connections: int = CONNECTIONS,
        grace_seconds: float = GRACE_SECONDS,
        linger_bytes: int = LINGER_BYTES,
        clock: Callable[[], float] = time.perf_counter,
    ) -> None:
        self._app = app
        self._door = door
        self._loop = loop
        self._lane_of = lane_of
        self._max_body_bytes = max_body_bytes
        self._most_connections = connections
        self._grace_seconds = grace_seconds
        self._linger_bytes = linger_bytes
        self._clock = clock
        self._work = Threads("work", threads, max_waiting)
        self._others = Threads("other", threads, max_waiting)
        self._uploads = Threads("upload", uploads, max_streams_waiting)
        self._downloads = Threads("download", downloads, max_streams_waiting)
        self._room = Room(max_body_bytes, clock, all_body_bytes)
        self._gathering: dict[Request, None] = {}
        self._connections: dict[Connection, None] = {}
        self._main: greenlet | None = None
        self._free_fibers: list[Fiber] = []
        self._drained: asyncio.Event | None = None
        self.date = Date()
        self.is_draining = False

    def renew(self, app: App, door: Door) -> None:
        """Answer with another application; requests that have begun keep theirs."""
        self._app = app
        self._door = door

    def connect(self) -> Connection:
        """Make the protocol of a new connection."""
        return Connection(self, self._loop, self._linger_bytes)

    # -- what connections call ---------------------------------------------------------

    def joined(self, connection: Connection) -> bool:
        """Note a connection; tell whether there is room for it.

        If there is none, the connection that has been idle longest makes room.
        """
        self._connections[connection] = None
        if len(self._connections) <= self._most_connections:
            return True
        idle = [one for one in self._connections if one.is_idle]
        idle.remove(connection)
        oldest = min(idle, key=lambda one: one.since, default=None)
        if oldest is None:
            return False
        oldest.abort()
        return True

    def left(self, connection: Connection) -> None:
        """Note that a connection has ended."""
        self._connections.pop(connection, None)
        if self._drained is not None and not self._connections:
            self._drained.set()

    def begin(self, request: Request) -> None:
        """Decide by a request's head how its body is taken."""
        request.app = self._app
        environ = request.environ
        length = environ.get("CONTENT_LENGTH", "0")
        is_chunked = "HTTP_TRANSFER_ENCODING" in environ
        if length == "0" and not is_chunked:
            return
        if not self._door.takes_body(environ):
            request.client.answer_unread(request)
            return
        request.lane = self._lane_of(environ["PATH_INFO"])
        if request.lane is Lane.STREAMED:
            patience = Patience(lambda: self._uploads.is_wanted)
            request.taken = Body.STREAMED
            hold = functools.partial(self._hold, request)
            request.stream = environ["wsgi.input"] = BodyStream(patience, hold)
            return
        request.taken = Body.WHOLE
        request.enough = self._max_body_bytes + 1 if is_chunked else int(length)
        if not is_chunked and request.enough > self._max_body_bytes:
            # The app refuses a body that is too large, without reading it.
            request.client.answer_unread(request)
        elif is_chunked or request.enough > FREE_BYTES:
            self.wait_for(request)

    def wait_for(self, request: Request) -> None:
        """Note a body that is large, or has not come in one piece with its head."""
        is_counted = request.enough > FREE_BYTES
        client = self._door.client_of(request.environ) if is_counted else ""
        give_up = functools.partial(self._give_up_slow, request)
        request.held = Held(client, self._clock(), give_up)
        self._gathering[request] = None

    def take(self, request: Request, piece: bytes) -> None:
        """Take a piece of a body that is gathered."""
        held = request.held
        assert held is not None, "it is gathered"
        if not self._room.take(held, len(piece)):
            self._give_up(
                request,
                Overloaded("too many large bodies come at once; try again in a moment"),
            )
        elif not request.add(piece) and "HTTP_TRANSFER_ENCODING" in request.environ:
            # It is above the limit, and the app refuses it.
            self.come(request)
            request.client.answer_unread(request)

    def come(self, request: Request) -> None:
        """Note that a body that is gathered has come."""
        assert request.held is not None, "it is gathered"
        self._gathering.pop(request, None)
        self._room.come(request.held)
        request.gather()
        # The client did not tell the length of a chunked body; now it is known.
        if "CONTENT_LENGTH" not in request.environ:
            request.environ["CONTENT_LENGTH"] = str(len(request.body))

    def drop(self, request: Request) -> None:
        """Forget a request whose client has left before it was answered."""
        self._gathering.pop(request, None)
        request.drop()
        self._free(request)

    def answer(self, request: Request) -> None:
        """Answer a request here if that is quick, and else in another thread."""
        environ = request.environ
        environ[ARRIVED] = self._clock()
        path = environ["PATH_INFO"]
        if request.lane is None:
            request.lane = self._lane_of(path)
        if request.stream is not None:
            self._hand_over(self._uploads, "", request)
        elif REFUSED in environ:
            self._call(request)
        elif request.lane is not Lane.QUICK:
            self._hand_over(self._others, "", request)
        elif len(request.body) > _QUICK_BYTES or "HTTP_CONTENT_ENCODING" in environ:
            # A body that is packed may be a thousand times as long when it is unpacked.
            # The model is not known yet. A path is a safe key, because no model's name
            # starts with "/".
            self._hand_over(self._work, path, request)
        else:
            free = self._free_fibers
            request.fiber = this = free.pop() if free else self._new_fiber()
            deadline = environ[DEADLINE] = Deadline()
            this.begin(self._call, request, deadline)

    def ask(
        self, call: Callable[[], _Result], deadline: Deadline, size: int, key: str
    ) -> _Result:
        """Make a call as a quick request, and wait for it in another thread.

        Other doors bring their predictions so, and these run together with HTTP's.

        Args:
            call: the call, whose error is raised here.
            deadline: the request's deadline.
            size: the bytes of the request; a large one is not quick.
            key: the name under which a large request waits; only so many of one name
                may wait.
        """
        if size > _QUICK_BYTES:
            call = functools.partial(elsewhere, call, key)
        errand = Errand(call)
        self.wake(functools.partial(self._run_errand, errand, deadline))
        return errand.wait()

    def _run_errand(self, errand: Errand[Any], deadline: Deadline) -> None:
        free = self._free_fibers
        fiber = free.pop() if free else self._new_fiber()
        fiber.begin(Errand.run, errand, deadline)

    # -- the hub of runtime.lane -------------------------------------------------------

    def offer(self, key: str, call: Callable[[], object]) -> bool:
        """Let a thread make a call; return False if too many wait for this key."""
        return self._work.offer(key, call)

    def most_waiting(self) -> int:
        """Return the most calls of one key that may wait."""
        return self._work.max_waiting

    def soon(self, call: Callable[[], object]) -> None:
        """Make a call when all that the network brought this turn is read."""
        self._loop.call_soon(call)

    def wake(self, call: Callable[[], object]) -> None:
        """Make a call in the network's thread; any thread may ask for it."""
        self._loop.call_soon_threadsafe(call)

    def at(self, when: float, call: Callable[[], object]) -> Callable[[], object]:
        """Make a call at a time of the clock; return what calls it off."""
        # The loop's clock has steps of a millisecond, and must not be early.
        return self._loop.call_later(when - self._clock() + 0.002, call).cancel

    # ----------------------------------------------------------------------------------

    def _new_fiber(self) -> Fiber:
        if self._main is None:
            self._main = getcurrent()
        return Fiber(self, self._main, self._free_fibers)

    def _give_up_slow(self, request: Request) -> None:
        self._give_up(request, TooSlow("the body comes too slowly"))

    def _give_up(self, request: Request, error: Exception) -> None:
        """Refuse a request whose body does not come, or finds no room."""
        if request not in self._gathering:
            return
        self.drop(request)
        request.environ[REFUSED] = error
        request.client.answer_unread(request)

    def _hold(self, request: Request, is_held: bool) -> None:
        client = request.client
        self.wake(functools.partial(client.hold, request, is_held))

    def _hand_over(self, threads: Threads, key: str, request: Request) -> None:
        if not threads.offer(key, functools.partial(self._call, request)):
            request.environ[REFUSED] = too_many(key, threads.max_waiting)
            if request.stream is not None:
                request.is_unread = True
                request.keeps = False
            self._call(request)

    def _call(self, request: Request) -> None:
        """Call the app, and send its answer; this may be any thread."""
        environ = request.environ
        if request.stream is None:
            environ["wsgi.input"] = io.BytesIO(request.body)
        start = Start()
        try:
            pieces = request.app(environ, start)
            status, headers = start.status, start.headers
        except Exception:
            logger.exception("%s failed", environ["PATH_INFO"])
            status, headers, pieces = 500, request.own_headers(), [FAILED]
        if request.held is not None:
            self._free(request)  # the app has read the body
        if request.stream is not None:
            # The app may answer before the body has come. Nobody reads the rest.
            request.is_unread = not request.stream.is_whole
            request.keeps = request.keeps and not request.is_unread
        if isinstance(pieces, list):
            body = pieces[0] if len(pieces) == 1 else b"".join(pieces)
            if request.fiber is not None:
                self._send(request, status, headers, body)
            else:
                self._reply(request, status, headers, body)
        else:
            self._stream(request, status, headers, pieces)

    def _reply(
        self, request: Request, status: int, headers: list[tuple[str, str]], body: bytes
    ) -> None:
        """Send a reply from any thread."""
        if getcurrent() is self._main:
            self._send(request, status, headers, body)
        else:
            self.wake(functools.partial(self._send, request, status, headers, body))

    def _send(
        self, request: Request, status: int, headers: list[tuple[str, str]], body: bytes
    ) -> None:
        try:
            request.client.reply(request, status, headers, body)
        except UnsafeHeader:
            logger.exception("%s failed", request.environ["PATH_INFO"])
            request.client.reply(request, 500, request.own_headers(), FAILED)

    def _stream(
        self,
        request: Request,
        status: int,
        headers: list[tuple[str, str]],
        pieces: Iterable[bytes],
    ) -> None:
        request.fiber = None  # it answers another request before this reply has ended
        patience = Patience(lambda: self._downloads.is_wanted)
        outlet = Outlet(request, request.client, self.wake, patience)

        def send() -> None:
            path = request.environ["PATH_INFO"]
            try:
                outlet.send_all(status, headers, pieces)
            except Stalled:
                logger.info("%s is cut short: its client takes nothing", path)
            except Exception:
                logger.exception("a reply broke off")

        if not self._downloads.offer("", send):
            getattr(pieces, "close", lambda: None)()
            headers = [*request.own_headers(), ("retry-after", "1")]
            self._reply(request, 503, headers, _BUSY)

    def _free(self, request: Request) -> None:
        if request.held is not None:
            self._room.free(request.held)
            request.held = None

    # -- time --------------------------------------------------------------------------

    def sweep(self) -> None:
        """Refuse bodies that come too slowly, and close connections that wait."""
        self.date.renew()
        now = self._clock()
        for request in list(self._gathering):
            held = request.held
            if held is not None and held.is_slow(now):
                held.give_up()
        self._close_idle(HEAD_SECONDS)

    def sweep_for_ever(self) -> None:
        """Sweep now, and every second from now on."""
        self.sweep()
        self._loop.call_later(SWEEP_SECONDS, self.sweep_for_ever)

    def _close_idle(self, seconds: float) -> None:
        latest = self._loop.time() - seconds
        for connection in list(self._connections):
            if connection.is_idle and connection.since < latest:
                connection.close()

    async def drain(self) -> None:
        """End each connection with its next reply; wait until there is none left."""
        self.is_draining = True
        self._drained = asyncio.Event()
        self._loop.call_later(self._grace_seconds, self._close_idle, 0.0)
        if self._connections:
            await self._drained.wait()
