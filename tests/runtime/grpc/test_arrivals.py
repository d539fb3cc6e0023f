import threading

import grpc
import pytest

from runtime.errors import TooSlow
from runtime.grpc.arrivals import MESSAGE_SECONDS, Arrivals
from tests.runtime.grpc.fakes import Context

PATIENCE = 30


class Clock:
    now = 0.0

    def __call__(self):
        return self.now


class Begun(Context):
    """A context that tells when somebody waits for its message."""

    def __init__(self):
        super().__init__()
        self.is_waited_for = threading.Event()

    def __next__(self):
        self.is_waited_for.set()
        return super().__next__()


def in_thread(call):
    """Begin a call in a thread; return a function that waits for what it raises."""
    found = []

    def run():
        try:
            call()
        except Exception as ex:
            found.append(ex)

    thread = threading.Thread(target=run)
    thread.start()

    def wait():
        thread.join(PATIENCE)
        return found

    return wait


def test_a_message_that_does_not_come_in_time_is_given_up():
    clock = Clock()
    arrivals = Arrivals(clock)
    context = Begun()
    wait = in_thread(lambda: arrivals.only(context, context))
    assert context.is_waited_for.wait(PATIENCE)
    clock.now = MESSAGE_SECONDS
    arrivals.sweep()
    assert not context.is_cancelled
    clock.now = MESSAGE_SECONDS + 1
    arrivals.sweep()
    assert context.is_cancelled
    (error,) = wait()
    assert isinstance(error, TooSlow)


def test_a_message_that_has_come_is_not_given_up():
    clock = Clock()
    arrivals = Arrivals(clock)
    context = Context().send(b"a")
    assert arrivals.only(context, context) == b"a"
    clock.now = 1e6
    arrivals.sweep()
    assert not context.is_cancelled


def test_the_end_ends_streams_that_wait():
    arrivals = Arrivals()
    context = Begun()
    wait = in_thread(lambda: list(arrivals.following(context, context)))
    assert context.is_waited_for.wait(PATIENCE)
    arrivals.end()
    assert context.is_cancelled
    (error,) = wait()
    assert isinstance(error, grpc.RpcError)


def test_the_end_lets_a_stream_answer_what_it_holds():
    arrivals = Arrivals()
    context = Context().send(b"a", b"b")
    messages = arrivals.following(context, context)
    assert next(messages) == b"a"
    arrivals.end()
    assert not context.is_cancelled
    with pytest.raises(StopIteration):
        next(messages)
