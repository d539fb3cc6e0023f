"""waitress's private parts are as they were; a real server shows it.

If a test fails after an update, see runtime/process/waitress_server.py, and then the
dependency's range in pyproject.toml. The tests drive waitress's loop by hand, step by
step, so that no clock decides what it has done.
"""

import contextlib
import socket
import threading
import time

import pytest
import waitress.server
from waitress import wasyncore

from runtime.process.waitress_server import (
    is_busy,
    is_imported,
    servers_of_this_process,
    stop_listening,
)

PATIENCE = 30
HEAD = b"GET / HTTP/1.1\r\nHost: here\r\n"

pytestmark = pytest.mark.slow  # it opens sockets


class Waitress:
    """A server whose application answers when a test lets it."""

    def __init__(self):
        self.is_asked, self.may_answer = threading.Event(), threading.Event()
        self.body = b"ok"
        self.sockets = {}
        self.server = waitress.server.create_server(
            self.answer, map=self.sockets, host="127.0.0.1", port=0, threads=1
        )
        self.client = socket.create_connection(
            ("127.0.0.1", self.server.effective_port), PATIENCE
        )
        self.step_until(lambda: self.server.active_channels)

    def answer(self, environ, start_response):
        self.is_asked.set()
        assert self.may_answer.wait(PATIENCE)
        start_response("200 OK", [("Content-Length", str(len(self.body)))])
        return [self.body]

    def step_until(self, is_done):
        """Let waitress do what select() says, until a condition is true, not a time."""
        end = time.monotonic() + PATIENCE
        while not is_done():
            assert time.monotonic() < end
            wasyncore.poll(1, self.sockets)

    def send(self, data):
        self.client.sendall(data)

    def close(self):
        self.may_answer.set()
        self.client.close()
        self.server.task_dispatcher.shutdown()
        for one in [*self.sockets.values()]:
            one.close()
        self.server.close()


@pytest.fixture
def served():
    with contextlib.closing(Waitress()) as served:
        yield served


def channel_of(served):
    (channel,) = served.server.active_channels.values()
    return channel


def test_a_server_is_found_by_nothing_but_what_is_in_memory(served):
    assert is_imported()
    assert any(found is served.server for found in servers_of_this_process())


def test_a_connection_that_asks_for_nothing_is_no_work(served):
    assert not is_busy(served.server)


def test_a_request_that_is_half_received_is_work(served):
    served.send(HEAD)
    served.step_until(lambda: channel_of(served).request is not None)
    assert is_busy(served.server)


def test_a_request_is_work_until_its_answer_has_gone(served):
    served.send(HEAD + b"\r\n")
    served.step_until(served.is_asked.is_set)
    channel = channel_of(served)
    assert channel.request is None
    assert len(channel.requests) == 1
    assert is_busy(served.server)
    served.may_answer.set()
    served.step_until(lambda: not is_busy(served.server))
    assert channel.total_outbufs_len == 0
    assert served.client.recv(1 << 16).endswith(b"\r\n\r\nok")


def test_an_answer_that_the_client_has_not_taken_yet_is_work(served):
    served.body = bytes(1 << 23)  # more than the kernel holds, less than waitress does
    served.may_answer.set()
    served.send(HEAD + b"\r\n")
    served.step_until(served.is_asked.is_set)
    channel = channel_of(served)
    served.step_until(lambda: not channel.requests)
    assert channel.request is None
    assert is_busy(served.server)
    served.client.close()
    served.step_until(lambda: not is_busy(served.server))


def test_who_comes_after_the_end_is_refused_and_who_was_there_is_answered(served):
    stop_listening(served.server)
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", served.server.effective_port), PATIENCE)
    served.may_answer.set()
    served.send(HEAD + b"\r\n")
    served.step_until(served.is_asked.is_set)
    served.step_until(lambda: not is_busy(served.server))
    assert served.client.recv(1 << 16).endswith(b"\r\n\r\nok")
