"""HTTP/1.1 as RFC 9112 has it, over a real loop; damaged bytes become no request."""

import gc
import itertools
import threading
import time
import weakref

import pytest

from runtime.errors import InvalidInput
from runtime.server.connection import LINGER_SECONDS
from tests.runtime.server.harness import (
    MAX_BODY,
    PATIENCE,
    Harness,
    chunked,
    lanes,
    request,
)


def echo(environ, start):
    """Answer with what was asked: the method, the path, the query and the body."""
    body = environ["wsgi.input"].read()
    asked = f"{environ['REQUEST_METHOD']} {environ['PATH_INFO']}"
    start("200 OK", [("X-Asked", asked), ("X-Query", environ["QUERY_STRING"])])
    return [body]


@pytest.fixture(scope="module")
def server():
    harness = Harness(echo, lane_of=lanes(quick={"/quick", "/livez", "/closed"}))
    yield harness
    harness.close()


@pytest.fixture
def client(server):
    return server.connect()


def asked(client):
    status, headers, body = client.reply()
    return status, headers["x-asked"], body


# -- requests that are right -----------------------------------------------------------


def test_one_connection_takes_many_requests(client):
    for n in range(3):
        client.send(request(f"/quick?n={n}", b"abc"))
        status, headers, body = client.reply()
        assert (status, headers["x-query"], body) == (200, f"n={n}", b"abc")
        assert "connection" not in headers
        assert headers["date"].endswith(" GMT")


def test_one_connection_takes_any_number_of_bytes(client):
    """The limits of a head are those of one request."""
    for length in (20_000, 200_000):
        sent = request("/quick", b"a" * length, f"X-Long: {'a' * 9000}")
        for _ in range(12):
            client.send(sent)
            assert client.reply()[2] == b"a" * length


def test_a_request_may_come_in_any_pieces(server):
    whole = request("/quick", chunked(b"ab", b"c"), "Transfer-Encoding: chunked")
    for at in range(1, len(whole)):
        client = server.connect()
        client.send(whole[:at])
        client.send(whole[at:] + request("/quick", b"next"))
        assert asked(client) == (200, "POST /quick", b"abc"), at
        assert asked(client) == (200, "POST /quick", b"next"), at
        client.close()


def test_pipelined_requests_are_answered_in_order(server, client):
    """Those of the other lane are answered by threads, and still in their turn."""
    paths = [f"/other/{n}" if n % 3 == 0 else "/quick" for n in range(300)]
    client.send(b"".join(request(path, b"%d" % n) for n, path in enumerate(paths)))
    for n, path in enumerate(paths):
        assert asked(client) == (200, f"POST {path}", b"%d" % n)


def test_head_has_a_length_and_no_body(client):
    client.send(request("/quick", b"abc", method="HEAD") + request("/quick", b"x"))
    status, headers, _ = client.reply(has_body=False)
    assert status == 200
    assert headers["content-length"] == "3"
    assert asked(client)[2] == b"x"


def test_a_body_is_asked_for_where_the_client_waits(client):
    head = request("/quick", b"abc", "Expect: 100-continue")
    client.send(head[:-3])
    assert client.reply()[0] == 100
    client.send(b"abc")
    assert asked(client) == (200, "POST /quick", b"abc")


def test_http_1_0_closes_unless_it_is_asked_not_to(server):
    client = server.connect()
    client.send(request("/quick", version="1.0", method="GET"))
    status, headers, _ = client.reply()
    assert (status, headers["connection"]) == (200, "close")
    assert client.rest() == b""
    client = server.connect()
    for _ in range(2):
        client.send(
            request(
                "/quick", b"", "Connection: keep-alive", version="1.0", method="GET"
            )
        )
        assert client.reply()[1]["connection"] == "keep-alive"


def test_the_last_request_may_say_so(client):
    client.send(request("/quick", b"abc", "Connection: close"))
    status, headers, body = client.reply()
    assert (status, headers["connection"], body) == (200, "close", b"abc")
    assert client.rest() == b""


def test_a_client_that_has_said_all_is_answered(server):
    """It closes its writing half, as netcat does at the end of its input."""
    for path in ("/quick", "/other"):
        client = server.connect()
        client.send(request(path, b"abc"))
        client.socket.shutdown(1)
        assert asked(client) == (200, f"POST {path}", b"abc")
        assert client.rest() == b""


def test_the_path_is_decoded_and_the_query_is_not(client):
    client.send(request("/a%20b/%C3%A4?q=%20#f", method="GET"))
    status, headers, _ = client.reply()
    assert status == 200
    assert headers["x-asked"] == "GET /a b/\xc3\xa4"
    assert headers["x-query"] == "q=%20"


def test_a_proxys_client_may_send_the_whole_url(client):
    client.send(request("http://localhost:80/quick?a=b", method="GET"))
    _, headers, _ = client.reply()
    assert (headers["x-asked"], headers["x-query"]) == ("GET /quick", "a=b")


def test_the_offer_of_another_protocol_is_not_taken(client):
    offer = ("Connection: Upgrade, HTTP2-Settings", "Upgrade: h2c", "HTTP2-Settings: A")
    client.send(request("/quick", b"", *offer, method="GET") + b"PRI * HTTP/2.0\r\n")
    assert asked(client) == (200, "GET /quick", b"")
    assert client.rest() == b""


def test_trailers_are_no_headers(client):
    body = chunked(b"abc")[:-2] + b"Host: other\r\nX-Asked: me\r\n\r\n"
    client.send(request("/quick", body, "Transfer-Encoding: chunked"))
    assert asked(client) == (200, "POST /quick", b"abc")


def test_an_upload_behind_another_request_is_answered_though_its_client_ends():
    go_on, begun = threading.Event(), threading.Event()

    def app(environ, start):
        if environ["PATH_INFO"] == "/other":
            begun.set()
            assert go_on.wait(PATIENCE)
        try:
            body = environ["wsgi.input"].read()
        except InvalidInput:
            body = b"cut"
        start("200 OK", [])
        return [body]

    harness = Harness(app, lane_of=lanes(streamed={"/stream"}))
    client = harness.connect()
    client.send(request("/other", b"abc") + request("/stream", b"abcdef")[:-3])
    assert begun.wait(PATIENCE)
    client.socket.shutdown(1)
    harness.call(lambda: None)
    go_on.set()
    assert client.reply()[2] == b"abc"
    assert client.reply()[2] == b"cut"
    assert client.rest() == b""
    harness.close()


def test_who_leaves_frees_the_room_of_all_that_waits():
    go_on, begun = threading.Event(), threading.Event()

    def app(environ, start):
        begun.set()
        assert go_on.wait(PATIENCE)
        return echo(environ, start)

    harness = Harness(app)
    client = harness.connect()
    large = request("/other", bytes(MAX_BODY // 10))
    client.send(request("/other", b"a") + large)
    assert begun.wait(PATIENCE)
    while not harness.call(lambda: harness.front._room._total):
        pass
    client.close()
    go_on.set()
    other = harness.connect()
    other.send(request("/other", b"b"))
    assert other.reply()[2] == b"b"
    while harness.call(lambda: harness.front._room._total):
        pass  # it hangs if the room is not freed
    harness.close()


# -- bytes that are no request ---------------------------------------------------------

POST = b"POST /quick HTTP/1.1\r\nHost: a\r\n"
CHUNKED = POST + b"Transfer-Encoding: chunked\r\n\r\n"
DAMAGED = {
    "length and chunks": (
        POST + b"Content-Length: 5\r\nTransfer-Encoding: chunked",
        400,
    ),
    "chunks and length": (
        POST + b"Transfer-Encoding: chunked\r\nContent-Length: 5",
        400,
    ),
    "an unknown coding": (POST + b"Transfer-Encoding: xchunked", 501),
    "a coding before chunks": (POST + b"Transfer-Encoding: gzip, chunked", 501),
    "chunks are not last": (POST + b"Transfer-Encoding: chunked, identity", 400),
    "chunks twice": (POST + b"Transfer-Encoding: chunked\r\n" * 2, 400),
    "a coding behind a control": (POST + b"Transfer-Encoding: \x0bchunked", 400),
    "chunks in HTTP/1.0": (
        b"POST /quick HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        501,
    ),
    "two lengths": (POST + b"Content-Length: 0\r\nContent-Length: 5", 400),
    "the same length twice": (POST + b"Content-Length: 0\r\nContent-Length: 0", 400),
    "a list of lengths": (POST + b"Content-Length: 0, 0", 400),
    "a negative length": (POST + b"Content-Length: -1", 400),
    "a signed length": (POST + b"Content-Length: +1", 400),
    "a length of two words": (POST + b"Content-Length: 1 1", 400),
    "an empty length": (POST + b"Content-Length: ", 400),
    "an endless length": (POST + b"Content-Length: 99999999999999999999999", 400),
    "a chunk's size with 0x": (CHUNKED + b"0x0\r\n\r\n", 400),
    "an endless chunk": (CHUNKED + b"ffffffffffffffffff\r\n\r\n", 400),
    "a chunk's size and a space": (CHUNKED + b"1 \r\nx\r\n0\r\n\r\n", 400),
    "a chunk's size and LF": (CHUNKED + b"1\nx\r\n0\r\n\r\n", 400),
    "an extension with LF": (CHUNKED + b"1;a\nb\r\nx\r\n0\r\n\r\n", 400),
    "a chunk of another size": (CHUNKED + b"1\r\nxx\r\n0\r\n\r\n", 400),
    "lines that end with LF": (b"POST /quick HTTP/1.1\nHost: a\n\n", 400),
    "a header that ends with LF": (b"GET / HTTP/1.1\r\nHost: a\nX: b", 400),
    "a bare CR": (b"GET / HTTP/1.1\r\nHost: a\rX: b", 400),
    "a folded header": (b"GET / HTTP/1.1\r\nHost: a\r\nX: b\r\n c", 400),
    "a space before the colon": (b"GET / HTTP/1.1\r\nHost : a", 400),
    "a space before a header": (b"GET / HTTP/1.1\r\n Host: a", 400),
    "a header without a name": (b"GET / HTTP/1.1\r\n: a", 400),
    "NUL in a header": (b"GET / HTTP/1.1\r\nHost: a\x00b", 400),
    "a control in a header": (b"GET / HTTP/1.1\r\nHost: a\x01b", 400),
    "no host": (b"GET / HTTP/1.1\r\nX: a", 400),
    "two hosts": (b"GET / HTTP/1.1\r\nHost: a\r\nHost: b", 400),
    "no version": (b"GET /", 505),
    "a version of long ago": (b"GET / HTTP/0.9\r\nHost: a", 505),
    "a version without a number": (b"GET / HTTP/1.x\r\nHost: a", 400),
    "a version that is none": (b"GET / HTTP/1.2\r\nHost: a", 400),
    "a version to come": (b"GET / HTTP/2.0\r\nHost: a", 505),
    "the start of HTTP/2": (b"PRI * HTTP/2.0\r\n\r\nSM", 400),
    "a version in lower case": (b"GET / http/1.1\r\nHost: a", 400),
    "an unknown method": (b"FETCH / HTTP/1.1\r\nHost: a", 501),
    "a method in lower case": (b"get / HTTP/1.1\r\nHost: a", 501),
    "a space in the target": (b"GET /a b HTTP/1.1\r\nHost: a", 400),
    "bytes above 127 in the target": (b"GET /\xc3\xa4 HTTP/1.1\r\nHost: a", 400),
    "a control in the target": (b"GET /\x01 HTTP/1.1\r\nHost: a", 400),
    "TLS": (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", 501),
    "a long head": (b"GET / HTTP/1.1\r\nHost: a\r\nX: " + b"a" * (1 << 16), 431),
    "a long target": (b"GET /" + b"a" * (1 << 16) + b" HTTP/1.1\r\nHost: a", 431),
    "many headers": (b"GET / HTTP/1.1\r\nHost: a" + b"\r\nX: a" * 101, 431),
    "an endless name": (b"GET / HTTP/1.1\r\nHost: a\r\n" + b"a" * (1 << 20), 431),
}
HIDDEN = request("/livez", method="GET")


@pytest.mark.parametrize(("sent", "status"), DAMAGED.values(), ids=DAMAGED)
def test_damaged_bytes_get_their_status_and_hide_no_request(server, sent, status):
    client = server.connect()
    end = b"" if sent.endswith(b"\r\n\r\n") else b"\r\n\r\n"
    client.send(request("/quick", b"before") + sent + end + HIDDEN)
    assert asked(client) == (200, "POST /quick", b"before")
    told, headers, body = client.reply()
    assert told == status
    assert headers["connection"] == "close"
    assert body.startswith(b'{"error":"')
    client.socket.shutdown(1)
    assert client.rest() == b"", "nothing behind it is a request"


def test_damaged_bytes_are_seen_wherever_they_are_cut(server):
    sent, status = DAMAGED["a space before the colon"]
    for at in range(1, len(sent)):
        client = server.connect()
        client.send(sent[:at])
        client.send(sent[at:] + b"\r\n\r\n")
        assert client.reply()[0] == status, at
        client.close()


def test_a_body_that_breaks_off_in_the_middle_is_no_request(server):
    asked_for = []

    def note(environ, start):
        asked_for.append(environ["PATH_INFO"])
        return echo(environ, start)

    harness = Harness(note)
    for sent in (
        request("/quick", b"abcdef")[:-3],
        request("/quick", b"4\r\nabcd\r\n2\r\nef", "Transfer-Encoding: chunked"),
    ):
        client = harness.connect()
        client.send(sent)
        client.close()
    client = harness.connect()
    client.send(request("/other", b"x"))
    assert client.reply()[0] == 200
    assert asked_for == ["/other"]
    harness.close()


# -- bodies that nobody reads ----------------------------------------------------------


@pytest.mark.parametrize("pause", [0.0, 0.002])
def test_a_refusal_reaches_a_client_that_still_sends(server, pause):
    """A connection that is closed at once would reset, and the reply be lost."""
    client = server.connect()
    size = 4 * MAX_BODY
    client.send(request("/closed", b"", f"Content-Length: {size}"))
    sent = 0
    while sent < size:
        client.send(bytes(60_000))  # a broken pipe would be an error here
        sent += 60_000
        if pause and sent < 600_000:
            time.sleep(pause)
    status, headers, _ = client.reply()
    assert (status, headers["connection"]) == (200, "close")
    client.socket.shutdown(1)
    assert client.rest() == b""


def test_an_upload_that_is_refused_in_the_middle_ends_its_connection():
    """The rest of the body must not become a request, nor wait for a reader."""

    def refuse(environ, start):
        assert environ["wsgi.input"].read(3) == b"abc"
        start("400 Bad Request", [])
        return [b"no"]

    harness = Harness(refuse, lane_of=lanes(streamed={"/stream"}))
    client = harness.connect()
    size = 4 * MAX_BODY
    client.send(request("/stream", b"", f"Content-Length: {size}") + b"abc")
    status, headers, body = client.reply()
    assert (status, headers["connection"], body) == (400, "close", b"no")
    client.send(bytes(size - 3) + request("/livez", method="GET"))
    client.socket.shutdown(1)
    assert client.rest() == b""
    harness.close()


def test_a_client_that_never_ends_is_not_read_for_ever():
    harness = Harness(echo, linger_bytes=1 << 20)
    client = harness.connect()
    client.send(request("/closed", b"", "Transfer-Encoding: chunked"))
    with pytest.raises(ConnectionError):
        for _ in range(1000):
            client.send(bytes(1 << 16))
    harness.close()


def test_nothing_is_kept_of_a_client_that_was_refused_and_left():
    """The limit on its patience would hold some kilobytes of each such client."""
    harness = Harness(echo)
    client = harness.connect()
    (kept,) = map(weakref.ref, harness.call(list, harness.front._connections))
    client.send(b"no request\r\n\r\n")
    assert client.reply()[0] == 501
    client.close()
    end = time.monotonic() + LINGER_SECONDS / 2
    while kept() and time.monotonic() < end:
        harness.call(gc.collect)
    assert kept() is None
    harness.close()


# -- clients that do not read ----------------------------------------------------------


def test_replies_that_nobody_reads_take_no_memory():
    """The app is asked again only when the client has taken the replies before."""
    count = itertools.count()

    def large(environ, start):
        next(count)
        start("200 OK", [])
        return [bytes(1 << 16)]

    harness = Harness(large)
    client = harness.connect()
    client.socket.setblocking(False)
    try:
        while True:  # until the server reads no more
            client.send(request("/quick", method="GET"))
    except BlockingIOError:
        pass
    asked_before = next(count)
    assert asked_before < 64
    # Another client is answered meanwhile.
    other = harness.connect()
    other.send(request("/quick", method="GET"))
    assert len(other.reply()[2]) == 1 << 16
    client.socket.settimeout(PATIENCE)
    for _ in range(asked_before):
        assert len(client.reply()[2]) == 1 << 16
    harness.close()


def test_a_streamed_reply_waits_for_its_client():
    produced, closed = [], threading.Event()

    def stream():
        try:
            for n in range(1000):
                produced.append(n)
                yield bytes(1 << 16)
        finally:
            closed.set()

    def app(environ, start):
        start("200 OK", [("Content-Length", str(1000 << 16))])
        return stream()

    harness = Harness(app)
    client = harness.connect()
    client.send(request("/quick", method="GET"))
    received = 0
    while received < 20 << 16:
        received += len(client.socket.recv(1 << 16))
    assert len(produced) < 60, "no more is made than the network holds"
    while received < 1000 << 16:
        received += len(client.socket.recv(1 << 16))
    assert closed.wait(PATIENCE)
    # A client that leaves ends the reply.
    produced.clear()
    closed.clear()
    client = harness.connect()
    client.send(request("/quick", method="GET"))
    client.reply(has_body=False)
    client.socket.recv(1)  # a generator that has not begun would not be told its end
    client.close()
    assert closed.wait(PATIENCE)
    assert len(produced) < 60
    harness.close()


def test_a_stream_of_no_said_length_comes_in_chunks():
    def app(environ, start):
        start("200 OK", [])
        return iter([b"abc", b"", b"def"])

    harness = Harness(app)
    client = harness.connect()
    client.send(request("/quick", method="GET"))
    status, headers, _ = client.reply(has_body=False)
    assert (status, headers["transfer-encoding"]) == (200, "chunked")
    client.send(request("/quick", b"", "Connection: close", method="GET"))
    received = client.rest()
    assert received.startswith(b"3\r\nabc\r\n3\r\ndef\r\n0\r\n\r\nHTTP/1.1 200 ")
    client = harness.connect()
    client.send(request("/quick", method="GET", version="1.0"))
    head, _, body = client.rest().partition(b"\r\n\r\n")
    assert body == b"abcdef"
    assert b"connection: close" in head
    harness.close()


def test_a_connection_ends_with_a_stream_whose_client_sends_nothing_more():
    """The head of the reply had not said that it is the last one."""
    go_on = threading.Event()

    def pieces():
        go_on.wait(PATIENCE)
        yield b"abc"

    def app(environ, start):
        start("200 OK", [])
        return pieces()

    harness = Harness(app)
    client = harness.connect()
    client.send(request("/quick", method="GET"))
    assert "connection" not in client.reply(has_body=False)[1]
    (connection,) = harness.call(list, harness.front._connections)
    client.socket.shutdown(1)
    while not harness.call(lambda: connection._is_ended):
        pass
    go_on.set()
    assert client.rest() == b"3\r\nabc\r\n0\r\n\r\n"
    harness.close()


def test_a_stream_that_fails_is_cut_and_not_ended():
    def broken():
        yield b"abc"
        raise OSError("the disk is gone")

    def app(environ, start):
        start("200 OK", [])
        return broken()

    harness = Harness(app)
    client = harness.connect()
    client.send(request("/quick", method="GET"))
    try:
        received = client.rest()
    except ConnectionResetError:
        received = b""
    assert not received.endswith(b"0\r\n\r\n")
    harness.close()


@pytest.mark.parametrize("kind", [list, iter])
def test_no_header_can_forge_another(kind):
    """A reply that comes in pieces would let its thread wait for a minute."""

    def app(environ, start):
        value = "b" if environ["PATH_INFO"] == "/other" else "b\r\nX-Forged: c"
        start("200 OK", [("X-A", value)])
        return kind([b"abc"])

    harness = Harness(app, downloads=1)
    client = harness.connect()
    for _ in range(2):
        client.send(request("/quick", method="GET"))
        status, headers, body = client.reply()
        assert status == 500
        assert "x-forged" not in headers
        assert b"forge" not in body
    # Neither the connection nor the thread is lost.
    client.send(request("/other", method="GET"))
    assert client.reply()[0] == 200
    harness.close()
