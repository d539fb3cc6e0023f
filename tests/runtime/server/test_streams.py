"""A thread stands for granian here, which reads the pipe, or does not."""

import threading
from pathlib import Path

import pytest

from runtime.server.patience import Patience, Stalled
from runtime.server.streams import send_stream


class Chunks:
    """Chunks that may be closed only once."""

    def __init__(self, *chunks):
        self._chunks = iter(chunks)
        self.taken = 0
        self.closed = 0

    def __iter__(self):
        return self

    def __next__(self):
        chunk = next(self._chunks)
        self.taken += 1
        return chunk

    def close(self):
        self.closed += 1


class Reader:
    """A reader that opens the pipe it gets, and reads as much as it is told."""

    def __init__(self, size=-1):
        self.size = size
        self.content = b""

    def send(self, path):
        self.path = Path(path)
        self.thread = threading.Thread(target=self._read)
        self.thread.start()

    def _read(self):
        with self.path.open("rb", buffering=0) as pipe:
            self.content = pipe.read(self.size) if self.size > 0 else pipe.readall()


def test_chunks_come_in_their_order_and_leave_nothing():
    chunks, reader = Chunks(b"ab", b"c" * 1_000_000, b"d"), Reader()
    send_stream(chunks, reader.send, Patience())
    reader.thread.join()
    assert reader.content == b"ab" + b"c" * 1_000_000 + b"d"
    assert chunks.closed == 1
    assert not reader.path.parent.exists()


def test_nothing_is_made_for_a_client_that_went_away():
    """A pipe holds 64 KiB, so the second megabyte waits, and then has no reader."""
    chunks, reader = Chunks(*[bytes(1_000_000)] * 9), Reader(size=10)
    send_stream(chunks, reader.send, Patience())
    assert chunks.taken == 1
    assert chunks.closed == 1


def test_a_client_that_is_gone_before_is_not_waited_for():
    chunks = Chunks(b"ab")
    send_stream(chunks, lambda path: None, Patience(), open_seconds=0.0)
    assert (chunks.taken, chunks.closed) == (0, 1)


def test_what_fails_on_the_way_closes_the_chunks():
    def failing():
        yield b"ab"
        raise OSError("the disk")

    reader = Reader()
    with pytest.raises(OSError, match="the disk"):
        send_stream(failing(), reader.send, Patience())
    reader.thread.join()
    assert reader.content == b"ab"


def test_a_client_that_takes_nothing_is_not_waited_for():
    go_on = threading.Event()

    def open_and_wait(path):
        def hold():
            with Path(path).open("rb"):
                go_on.wait(30)

        threading.Thread(target=hold).start()

    chunks = Chunks(*[bytes(1_000_000)] * 9)
    with pytest.raises(Stalled):
        send_stream(chunks, open_and_wait, Patience(most_seconds=0.0))
    go_on.set()
    assert (chunks.taken, chunks.closed) == (1, 1)
