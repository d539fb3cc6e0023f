"""Raw bytes on the wire: requests that are whole, and the replies to any bytes."""

from __future__ import annotations

import itertools
import json
import re
from dataclasses import dataclass
from typing import NamedTuple

import h11
import numpy as np

from tests.forms import form, png
from tests.fuzz.run import Wrong

# The id makes the replies of two equal requests equal.
_COMMON = b"Host: localhost\r\nX-Request-Id: fuzz\r\n"
_CLOSE = b"Connection: close\r\n"


@dataclass(frozen=True)
class Reply:
    """One reply, without its header ``Date``."""

    status: int
    headers: tuple[bytes, ...]
    body: bytes

    @property
    def gist(self) -> tuple[int, bytes]:
        """The part that does not tell whether the connection goes on."""
        return self.status, self.body


def requests() -> dict[str, list[bytes]]:
    """Return requests that are whole; several in a list are sent one behind another."""
    image, kind = form(image=png([[1, 2], [3, 4]]), model="linear")
    multipart = b"Content-Type: %b\r\n" % kind["Content-Type"].encode()
    rows = json.dumps({"values": [1, 2, 3, 4], "model": "linear"}).encode()
    middle = len(rows) // 2
    chunks = b"".join(
        b"%x\r\n%b\r\n" % (len(piece), piece)
        for piece in (rows[:middle], rows[middle:], b"")
    )
    pixels = {"name": "pixels", "shape": [1, 2, 2, 1], "datatype": "FP32"}
    size = {"parameters": {"binary_data_size": 16}}
    tensor = json.dumps({"inputs": [pixels | size]}).encode()
    hidden = b'"' + _request(b"GET", b"/models") + b'"'
    return {
        "get": [_request(b"GET", b"/livez?a=b", _CLOSE)],
        "head": [_request(b"HEAD", b"/models", _CLOSE)],
        "HTTP/1.0": [_request(b"GET", b"/models/linear", version=b"1.0")],
        "image": [_request(b"POST", b"/predict/image", multipart + _CLOSE, image)],
        "rows": [_request(b"POST", b"/predict/json", _CLOSE, rows)],
        "inference": [
            _request(
                b"POST",
                b"/v2/models/linear/infer",
                b"Inference-Header-Content-Length: %d\r\n" % len(tensor) + _CLOSE,
                tensor + np.arange(4, dtype="<f4").tobytes(),
            )
        ],
        "prediction": [
            _request(
                b"POST",
                b"/v1/models/linear:predict",
                _CLOSE,
                b'{"inputs": [[[[1], [NaN]], [[3], [4]]]]}',
            )
        ],
        "chunks": [
            _request(
                b"POST", b"/predict/json", _CLOSE + b"Transfer-Encoding: chunked\r\n"
            )
            + chunks
        ],
        "expectation": [
            _request(
                b"POST", b"/predict/json", _CLOSE + b"Expect: 100-continue\r\n", rows
            )
        ],
        "pair": [
            _request(b"GET", b"/livez"),
            _request(b"POST", b"/predict/json", _CLOSE, rows),
        ],
        # The body is a request, which nobody may answer.
        "hidden": [
            _request(b"POST", b"/predict/json", body=hidden),
            _request(b"GET", b"/livez", _CLOSE),
        ],
        "no archive": [_request(b"POST", b"/upload", _CLOSE, rows)],
        "no such route": [_request(b"POST", b"/nosuch", _CLOSE, rows)],
        "download": [_request(b"GET", b"/models/linear/1/bundle", _CLOSE)],
    }


def _request(
    method: bytes,
    path: bytes,
    headers: bytes = b"",
    body: bytes = b"",
    version: bytes = b"1.1",
) -> bytes:
    length = b"Content-Length: %d\r\n" % len(body) if body else b""
    start = b"%b %b HTTP/%b\r\n" % (method, path, version)
    return start + _COMMON + headers + length + b"\r\n" + body


def replies_of(data: bytes) -> list[Reply]:
    """Read all replies that came by one connection; interim ones are left out.

    Raises:
        Wrong: the bytes are no replies, or the last one is not whole.
    """
    replies = []
    while data:
        head, found, rest = data.partition(b"\r\n\r\n")
        start, *headers = head.split(b"\r\n")
        status = re.fullmatch(rb"HTTP/1\.1 (\d{3}) [A-Za-z -]*", start)
        if not found or not status:
            raise Wrong(f"these bytes are no reply: {data[:500]!r}")
        body, data = _body(headers, rest)
        code = int(status[1])
        if code >= 200:
            kept = (h for h in headers if not h.startswith(b"date:"))
            replies.append(Reply(code, tuple(kept), body))
    return replies


def _body(headers: list[bytes], rest: bytes) -> tuple[bytes, bytes]:
    """Split what follows a head into its body and the rest."""
    # No body here begins like a reply; this one answers HEAD, or has none.
    if not rest or rest.startswith(b"HTTP/1.1 "):
        return b"", rest
    told = dict(header.lower().split(b": ", 1) for header in headers)
    if told.get(b"transfer-encoding") == b"chunked":
        body = b""
        while True:
            size, _, rest = rest.partition(b"\r\n")
            length = int(size, 16)
            body, end, rest = (
                body + rest[:length],
                rest[length:][:2],
                rest[length + 2 :],
            )
            if end != b"\r\n":
                raise Wrong("a chunked reply is cut short")
            if not length:
                return body, rest
    # A client of HTTP/1.0 knows by the end of the connection that a download is whole.
    length = int(told.get(b"content-length", len(rest)))
    if len(rest) < length:
        raise Wrong("a reply is cut short")
    return rest[:length], rest[length:]


class Seen(NamedTuple):
    """The requests that a proxy sees in a client's bytes.

    Attributes:
        heads: the number of requests whose heads are whole.
        wholes: the number of requests that are whole.
        refuses: whether the proxy refuses what follows them.
    """

    heads: int
    wholes: int
    refuses: bool


def seen_in(data: bytes) -> Seen:
    """Read a client's bytes with h11, another parser, as a proxy would."""
    proxy, heads, wholes = h11.Connection(h11.SERVER), 0, 0
    proxy.receive_data(data)
    proxy.receive_data(b"")
    while True:
        try:
            event = proxy.next_event()
        except h11.RemoteProtocolError:
            return Seen(heads, wholes, refuses=True)
        if isinstance(event, h11.Request):
            heads += 1
        elif isinstance(event, h11.EndOfMessage):
            wholes += 1
            proxy.send(h11.Response(status_code=200, headers=[("Content-Length", "0")]))
            proxy.send(h11.EndOfMessage())
            if proxy.our_state is h11.MUST_CLOSE:
                return Seen(heads, wholes, refuses=False)
            proxy.start_next_cycle()
        elif not isinstance(event, h11.Data):
            return Seen(heads, wholes, refuses=False)


def check(data: bytes, replies: list[Reply]) -> None:
    """Check the replies to a client that sends any bytes, and then nothing more.

    Raises:
        Wrong: there are more replies than requests, or fewer, or the server failed.
    """
    for reply in replies:
        is_busy = reply.status == 503 and b"retry-after: 1" in reply.headers
        # A client that sends nothing more may have left, and is then not worked for.
        if reply.status >= 500 and not is_busy and reply.status not in (501, 504, 505):
            raise Wrong(f"the server failed: {reply}")
    seen = seen_in(data)
    taken = sum(reply.status < 400 for reply in replies)
    is_ended = bool(replies) and b"connection: close" in replies[-1].headers
    if len(replies) < seen.wholes and not is_ended:
        raise Wrong(f"a request has no reply: {seen}")
    # RFC 9112 allows to pass over these (sections 2.2 and 3); h11 refuses them.
    if seen.refuses and (b"  " in data or re.search(rb"(^|\n\r?\n)[\r\n]", data)):
        return
    if len(replies) > seen.heads + seen.refuses or taken > seen.heads:
        raise Wrong(f"what is no request has a reply: {seen}")


def check_cut(
    messages: list[bytes], at: int, replies: list[Reply], whole: list[Reply]
) -> None:
    """Check the replies to requests that were cut at a place.

    Args:
        messages: the requests, as ``requests`` has them.
        at: the number of bytes that were sent.
        replies: the replies.
        whole: the replies to the whole requests.

    Raises:
        Wrong: a whole request has another reply, or a cut one has a good one.
    """
    ends = itertools.accumulate(map(len, messages))
    done = sum(end <= at for end in ends)
    if [r.gist for r in replies[:done]] != [r.gist for r in whole[:done]]:
        raise Wrong(f"a whole request is answered otherwise: {replies}")
    rest = replies[done:]
    if len(rest) > 1 or any(not 400 <= reply.status < 500 for reply in rest):
        raise Wrong(f"a request that is cut is answered: {rest}")
