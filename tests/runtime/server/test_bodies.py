import io
import threading

import pytest

from runtime.errors import InvalidInput, TooSlow
from runtime.server.bodies import WAITING_BYTES, BodyStream
from runtime.server.patience import Patience

PATIENCE = 30


def stream(**patience):
    held = []
    return BodyStream(Patience(**patience), held.append), held


def test_a_stream_is_read_in_any_size():
    raw, _ = stream()
    for piece in (b"abc", b"defgh"):
        raw.come(piece)
    raw.end(is_whole=True)
    body = io.BufferedReader(raw, 4)
    assert [body.read(2), body.read(4), body.read(9), body.read(1)] == [
        b"ab",
        b"cdef",
        b"gh",
        b"",
    ]


def test_a_thread_waits_for_the_next_piece():
    raw, _ = stream()
    read = []
    thread = threading.Thread(target=lambda: read.append(raw.read(3)))
    thread.start()
    raw.come(b"abc")
    thread.join(PATIENCE)
    assert read == [b"abc"]


def test_a_client_that_goes_is_an_error():
    raw, _ = stream()
    raw.come(b"abc")
    raw.end(is_whole=False)
    assert raw.read(9) == b"abc"
    with pytest.raises(InvalidInput, match="cut short"):
        raw.read(9)


def test_a_client_that_leaves_after_the_whole_body_is_no_error():
    raw, _ = stream()
    raw.come(b"abc")
    raw.end(is_whole=True)
    raw.end(is_whole=False)
    assert [raw.read(9), raw.read(9)] == [b"abc", b""]
    assert raw.is_whole


def test_a_client_that_falls_silent_is_an_error():
    raw, _ = stream(most_seconds=0.0)
    with pytest.raises(TooSlow, match="too slowly"):
        raw.read(9)


def test_no_more_is_taken_than_is_read():
    raw, held = stream()
    half = bytes(WAITING_BYTES // 2)
    for _ in range(3):
        raw.come(half)
    assert held == [True], "the network is told once"
    for expected in ([True], [True, False], [True, False]):
        assert len(raw.read(len(half))) == len(half)
        assert held == expected
