"""A real front on a real loop; its clients come by pairs of sockets, without a port."""

import asyncio
import socket
import threading

from runtime.http.routes import Lane
from runtime.server.front import Front
from runtime.server.loop import new_loop

# This is long enough for a busy machine; a test that passes never waits so long.
PATIENCE = 30
MAX_BODY = 1 << 20


class OpenDoor:
    """A door that takes all bodies but those of /closed; a header names the client."""

    def takes_body(self, environ):
        return environ["PATH_INFO"] != "/closed"

    def client_of(self, environ):
        return environ.get("HTTP_X_CLIENT", "somebody")


class Clock:
    def __init__(self):
        self.now = 1.0

    def __call__(self):
        return self.now


def lanes(quick=(), streamed=()):
    of = dict.fromkeys(quick, Lane.QUICK) | dict.fromkeys(streamed, Lane.STREAMED)
    return lambda path: of.get(path, Lane.OTHER)


class Client:
    """A client's end of a connection."""

    def __init__(self, ours):
        self.socket = ours
        self.socket.settimeout(PATIENCE)
        self._received = b""

    def send(self, data):
        self.socket.sendall(data)

    def reply(self, *, has_body=True):
        """Read one reply; return its status, its headers in lower case, its body."""
        while b"\r\n\r\n" not in self._received:
            self._more()
        head, _, self._received = self._received.partition(b"\r\n\r\n")
        start, *lines = head.decode("latin-1").split("\r\n")
        headers = {
            name.lower(): value for name, _, value in (x.partition(": ") for x in lines)
        }
        length = int(headers.get("content-length", 0)) if has_body else 0
        while len(self._received) < length:
            self._more()
        body, self._received = self._received[:length], self._received[length:]
        return int(start.split(" ")[1]), headers, body

    def rest(self):
        """Read until the server closes."""
        while piece := self.socket.recv(1 << 16):
            self._received += piece
        received, self._received = self._received, b""
        return received

    def _more(self):
        piece = self.socket.recv(1 << 16)
        assert piece, f"the server closed after {self._received!r}"
        self._received += piece

    def close(self):
        self.socket.close()


class Harness:
    """A front that serves a WSGI app in a thread of its own.

    Args:
        app: the app.
        options: the front's options that a test wants otherwise.
    """

    def __init__(self, app, **options):
        self.loop = new_loop()
        settings = {
            "lane_of": lanes(quick={"/quick", "/quick/slow", "/bug"}),
            "threads": 1,
            "max_waiting": 2,
            "max_body_bytes": MAX_BODY,
            **options,
        }
        self.front = Front(app, OpenDoor(), self.loop, **settings)
        self._thread = threading.Thread(target=self.loop.run_forever, daemon=True)
        self._thread.start()
        self._clients = []

    def connect(self):
        ours, theirs = socket.socketpair()
        theirs.setblocking(False)
        self.wait(self.loop.connect_accepted_socket(self.front.connect, theirs))
        client = Client(ours)
        self._clients.append(client)
        return client

    def wait(self, coroutine):
        """Run a coroutine in the loop; return its result."""
        return asyncio.run_coroutine_threadsafe(coroutine, self.loop).result(PATIENCE)

    def call(self, function, *arguments):
        """Make a call in the loop's thread; return its result."""

        async def run():
            return function(*arguments)

        return self.wait(run())

    def close(self):
        for client in self._clients:
            client.close()
        for connection in self.call(list, self.front._connections):
            self.call(connection.abort)
        for threads in ("_work", "_others", "_uploads", "_downloads"):
            getattr(self.front, threads)._pool.shutdown()
        while self.call(lambda: len(self.front._connections)):
            pass
        for _ in range(3):  # libuv closes a socket one or two turns later
            self.call(lambda: None)
        self.loop.call_soon_threadsafe(self.loop.stop)
        self._thread.join(PATIENCE)
        self.loop.close()


def request(path="/quick", body=b"", *headers, method="POST", version="1.1"):
    lines = [f"{method} {path} HTTP/{version}", "Host: localhost", *headers]
    if body and not any("Transfer-Encoding" in line for line in headers):
        lines.append(f"Content-Length: {len(body)}")
    return "".join(f"{line}\r\n" for line in (*lines, "")).encode() + body


def chunked(*pieces):
    return b"".join(b"%x\r\n%s\r\n" % (len(p), p) for p in (*pieces, b""))
