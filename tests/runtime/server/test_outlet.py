"""A thread sends a reply piece by piece; each connection takes what a test allows."""

import threading

import pytest

from runtime.server.outlet import Outlet
from runtime.server.patience import Patience, Stalled


class Connection:
    """A connection that is clogged after so many pieces."""

    def __init__(self, room, is_lost=False):
        self.room = room
        self.is_lost = is_lost
        self.outlet = None
        self.sent = []
        self.ends = []

    @property
    def is_clogged(self):
        return len(self.sent) >= self.room

    def start_reply(self, request, status, headers):
        self.sent.append((status, headers))
        return False

    def send(self, piece, *, is_chunked):
        self.sent.append(piece)

    def unsent(self):
        return 1

    def end_reply(self, request, *, is_chunked, is_whole):
        self.ends.append(is_whole)


class Pieces:
    def __init__(self, *pieces):
        self._pieces = iter(pieces)
        self.is_closed = False

    def __iter__(self):
        return self._pieces

    def close(self):
        self.is_closed = True


class Request:
    def own_headers(self):
        return []


REQUEST = Request()


def outlet(connection, **patience):
    return Outlet(REQUEST, connection, lambda call: call(), Patience(**patience))


def test_pieces_come_in_their_order_and_are_closed():
    connection, pieces = Connection(room=99), Pieces(b"abc", b"d" * 100_000)
    outlet(connection).send_all(200, [("a", "b")], pieces)
    head, *sent = connection.sent
    assert head == (200, [("a", "b")])
    assert b"".join(sent) == b"abc" + b"d" * 100_000
    assert max(map(len, sent)) == 1 << 16, "a large piece is given bit by bit"
    assert connection.ends == [True]
    assert pieces.is_closed


def test_a_client_that_takes_nothing_is_not_waited_for():
    connection, pieces = Connection(room=2), Pieces(b"abc", b"def")
    with pytest.raises(Stalled):
        outlet(connection, most_seconds=0.0).send_all(200, [], pieces)
    assert connection.sent[1:] == [b"abc"]
    assert connection.ends == [False]
    assert pieces.is_closed


def test_a_client_that_takes_the_rest_later_is_waited_for():
    connection, pieces = Connection(room=2), Pieces(b"abc", b"def")
    thread = threading.Thread(
        target=outlet(connection).send_all, args=(200, [], pieces)
    )
    thread.start()
    while connection.outlet is None or len(connection.sent) < 2:
        pass
    connection.room = 99
    connection.outlet.drained()
    thread.join(30)
    assert connection.sent[1:] == [b"abc", b"def"]
    assert connection.ends == [True]


def test_nothing_is_made_for_a_client_that_has_left():
    connection = Connection(room=99, is_lost=True)
    pieces = Pieces(b"abc")
    outlet(connection).send_all(200, [], pieces)
    assert (connection.sent, connection.ends) == ([], [False])
    assert pieces.is_closed


def test_a_client_that_leaves_between_two_pieces_is_not_waited_for():
    """Its connection was clogged, and nothing will drain it any more."""
    connection = Connection(room=2)

    def pieces():
        yield b"abc"
        connection.is_lost = True
        way.lost()
        yield b"def"
        raise AssertionError("nobody takes another piece")

    way = outlet(connection)
    thread = threading.Thread(target=way.send_all, args=(200, [], pieces()))
    thread.start()
    while connection.outlet is None or len(connection.sent) < 2:
        pass
    way.drained()
    thread.join(30)
    assert not thread.is_alive()
    assert connection.ends == [False]


def test_a_head_that_cannot_be_sent_is_a_failure_and_no_wait():
    class Refusing(Connection):
        def start_reply(self, request, status, headers):
            raise ValueError("a line break")

        def reply(self, request, status, headers, body):
            self.ends.append((self.outlet, request, status))

    connection, pieces = Refusing(room=99), Pieces(b"abc")
    with pytest.raises(ValueError, match="a line break"):
        outlet(connection).send_all(200, [], pieces)
    assert connection.ends == [(None, REQUEST, 500)]
    assert pieces.is_closed


def test_a_piece_that_cannot_be_made_cuts_the_reply():
    def broken():
        yield b"abc"
        raise OSError("the disk is gone")

    connection = Connection(room=99)
    with pytest.raises(OSError, match="disk"):
        outlet(connection).send_all(200, [], broken())
    assert connection.sent[1:] == [b"abc"]
    assert connection.ends == [False]
