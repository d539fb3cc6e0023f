"""These fakes of granian's requests get their bodies when a test says so."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass
class FakeHeaders:
    content: list[tuple[str, str]]

    def items(self):
        return self.content


@dataclass
class FakeScope:
    method: str = "POST"
    path: str = "/quick"
    query_string: str = ""
    http_version: str = "1.1"
    scheme: str = "http"
    client: str = "192.0.2.1:4711"
    server: str = "127.0.0.1:8083"
    headers: FakeHeaders = field(default_factory=lambda: FakeHeaders([]))


class Coming:
    """A piece that comes later, or never."""

    def __init__(self):
        self._calls = []
        self._error = None

    def add_done_callback(self, call, *, context):
        self._calls.append(call)

    def come(self, piece=b"", error=None):
        self._piece, self._error = piece, error
        for call in self._calls:
            call(self)

    def result(self):
        if self._error is not None:
            raise self._error
        return self._piece

    def cancel(self):
        self.come(error=KeyboardInterrupt())  # not an Exception, as in granian
        return True


class FakeProto:
    def __init__(self):
        self.asked = []
        self.replies = []

    def __aiter__(self):
        return self

    def __anext__(self):
        self.asked.append(Coming())
        return self.asked[-1]

    def client_disconnect(self):
        self.leaving = Coming()
        return self.leaving

    def response_bytes(self, status, headers, body):
        self.replies.append((status, dict(headers), body))

    def response_file(self, status, headers, file):
        self.replies.append((status, dict(headers), file))


class FakeWatcher:
    """A request; ``come`` brings the next piece of its body."""

    def __init__(self, path="/quick", method="POST", **headers):
        content = [(name.replace("_", "-"), value) for name, value in headers.items()]
        self.scope = FakeScope(method, path, headers=FakeHeaders(content))
        self.proto = FakeProto()
        self.ends = 0

    def come(self, piece):
        self.proto.asked[-1].come(piece)

    def done(self):
        self.ends += 1

    @property
    def reply(self):
        ((status, _, body),) = self.proto.replies
        assert self.ends == 1
        return status, body
