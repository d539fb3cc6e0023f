import io

import pytest

from runtime.errors import InvalidInput, TooSlow
from runtime.server.bodies import BodyStream
from runtime.server.patience import Patience


class Ready:
    """A body whose pieces are all there."""

    def __init__(self, *pieces):
        self._pieces = iter(pieces)
        self.cancelled = 0

    def __anext__(self):
        return self

    def add_done_callback(self, call, *, context):
        call(self)

    def result(self):
        piece = next(self._pieces)
        if isinstance(piece, Exception):
            raise piece
        return piece

    def cancel(self):
        self.cancelled += 1


def test_a_stream_is_read_in_any_size():
    body = io.BufferedReader(BodyStream(Ready(b"abc", b"defgh", b""), Patience()), 4)
    assert [body.read(2), body.read(4), body.read(9), body.read(1)] == [
        b"ab",
        b"cdef",
        b"gh",
        b"",
    ]


def test_a_client_that_goes_is_an_error():
    body = BodyStream(Ready(b"abc", ConnectionError()), Patience())
    assert body.read(9) == b"abc"
    with pytest.raises(InvalidInput, match="cut short"):
        body.read(9)


def test_a_client_that_falls_silent_is_an_error():
    class Silent(Ready):
        def add_done_callback(self, call, *, context):
            pass

    pieces = Silent()
    with pytest.raises(TooSlow, match="too slowly"):
        BodyStream(pieces, Patience(most_seconds=0.0)).read(9)
    assert pieces.cancelled == 1
