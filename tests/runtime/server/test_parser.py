"""The events of the parser; test_connection.py sees them over sockets."""

import pytest

from runtime.server.environ import environ_of_connection
from runtime.server.parser import HEAD_BYTES, MAX_HEADERS, Parser, Unread

CONNECTION = environ_of_connection(("10.0.0.1", 80), ("10.0.0.2", 90), is_tls=False)
GET = b"GET /a?b=c HTTP/1.1\r\nHost: x\r\n\r\n"
CHUNKED = (
    b"POST /c HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
    b"3\r\nabc\r\n2\r\nde\r\n0\r\nX-Late: 1\r\n\r\n"
)


class Receiver:
    """Keeps what it is told; the pieces of a body become one."""

    def __init__(self, reads=True):
        self.told = []
        self.reads = reads

    def begin(self, environ, keeps):
        heads = {name: v for name, v in environ.items() if name.startswith("HTTP_")}
        target = environ["REQUEST_METHOD"], environ["PATH_INFO"]
        self.told.append(["begin", *target, environ["QUERY_STRING"], heads, keeps])
        if not self.reads:
            raise Unread

    def take(self, piece):
        if self.told[-1][0] == "take":
            self.told[-1][1] += piece
        else:
            self.told.append(["take", piece])

    def complete(self):
        self.told.append(["complete"])

    def end_after_the_last(self):
        self.told.append(["end"])


@pytest.fixture
def receiver():
    return Receiver()


@pytest.fixture
def parser(receiver):
    return Parser(receiver, CONNECTION)


def test_requests_are_told_in_their_order_without_trailers(parser, receiver):
    assert parser.feed(CHUNKED + GET) is None
    chunked = {"HTTP_HOST": "x", "HTTP_TRANSFER_ENCODING": "chunked"}
    assert receiver.told == [
        ["begin", "POST", "/c", "", chunked, True],
        ["take", b"abcde"],
        ["complete"],
        ["begin", "GET", "/a", "b=c", {"HTTP_HOST": "x"}, True],
        ["complete"],
    ]


@pytest.mark.parametrize("size", [1, 2, 3, 7, 50])
def test_the_pieces_in_which_bytes_come_change_nothing(parser, receiver, size):
    data = GET + CHUNKED + GET
    for start in range(0, len(data), size):
        assert parser.feed(data[start : start + size]) is None
    whole = Receiver()
    Parser(whole, CONNECTION).feed(data)
    assert receiver.told == whole.told


@pytest.mark.parametrize("before", [b"", GET, CHUNKED])
@pytest.mark.parametrize("size", [1000, 1 << 20])
def test_a_head_has_so_many_bytes(receiver, before, size):
    def feed(length):
        parser = Parser(receiver, CONNECTION)
        start = b"GET /a HTTP/1.1\r\nHost: x\r\nX-Long: "
        # The target, the names and the values count.
        used = len("/a") + len("Host") + len("x") + len("X-Long")
        data = before + start + b"y" * (length - used) + b"\r\n\r\n"
        answers = (
            parser.feed(data[place : place + size])
            for place in range(0, len(data), size)
        )
        return next(filter(None, answers), None)

    assert feed(HEAD_BYTES) is None
    assert feed(HEAD_BYTES + 1).status == 431


def test_a_head_has_so_many_headers(receiver):
    def feed(count):
        lines = b"".join(b"A: b\r\n" for _ in range(count - 1))
        data = b"GET /a HTTP/1.1\r\nHost: x\r\n" + lines + b"\r\n"
        return Parser(receiver, CONNECTION).feed(data)

    assert feed(MAX_HEADERS) is None
    assert feed(MAX_HEADERS + 1).status == 431


def test_a_head_without_an_end_is_refused(parser):
    assert parser.feed(b"GET /a HTTP/1.1\r\nHost: x\r\nX-Long: ") is None
    sizes = range(1000, 4 * HEAD_BYTES, 1000)
    refused = (size for size in sizes if parser.feed(b"y" * 1000) is not None)
    assert 2 * HEAD_BYTES - 1000 <= next(refused) <= 2 * HEAD_BYTES + 1000


def test_headers_and_a_target_without_an_end_are_refused_as_they_come(receiver):
    parser = Parser(receiver, CONNECTION)
    assert parser.feed(b"GET /a HTTP/1.1\r\nHost: x\r\n") is None
    refusals = [parser.feed(b"A: b\r\n") for _ in range(MAX_HEADERS + 1)]
    assert [bool(refusal) for refusal in refusals[-2:]] == [False, True]
    parser = Parser(receiver, CONNECTION)
    assert parser.feed(b"GET /" + b"a" * (HEAD_BYTES - 10)) is None
    assert parser.feed(b"a" * 20).status == 431


def test_line_breaks_before_a_request_have_an_end(parser):
    assert parser.feed(GET) is None
    sizes = range(1000, 4 * HEAD_BYTES, 1000)
    refused = (size for size in sizes if parser.feed(b"\r\n" * 500) is not None)
    assert next(refused) <= 2 * HEAD_BYTES + 1000


def test_headers_behind_a_body_are_not_kept(parser, receiver):
    parser.feed(CHUNKED.partition(b"X-Late")[0])
    for _ in range(3 * MAX_HEADERS):
        late = b"X-Late: " + b"y" * 1000 + b"\r\n"
        assert parser.feed(late, is_of_body=True) is None
    parser.feed(b"\r\n" + GET, is_of_body=True)
    assert receiver.told[-2] == ["begin", "GET", "/a", "b=c", {"HTTP_HOST": "x"}, True]


def test_a_request_that_is_not_read_is_no_fault_of_the_bytes():
    receiver = Receiver(reads=False)
    assert Parser(receiver, CONNECTION).feed(GET) is None
    assert [event[0] for event in receiver.told] == ["begin"]


def test_a_fault_of_the_receiver_is_logged_and_told_as_the_servers(caplog):
    receiver = Receiver()
    receiver.begin = lambda environ, keeps: 1 / 0
    refusal = Parser(receiver, CONNECTION).feed(GET)
    assert refusal.status == 500
    assert b"zero" not in refusal.body
    assert "ZeroDivisionError" in caplog.text
