"""The front serves a WSGI app that answers with its request and its thread."""

import asyncio
import functools
import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from runtime.errors import Expired, Overloaded, TooSlow
from runtime.http.environ_keys import CORS, DEADLINE, REFUSED
from runtime.lane import current_fiber, elsewhere
from runtime.models.turn import Turn
from runtime.server.front import HEAD_SECONDS
from runtime.server.room import BODY_SECONDS
from runtime.telemetry.journey import Deadline
from tests.runtime.server.harness import (
    MAX_BODY,
    PATIENCE,
    Clock,
    Harness,
    chunked,
    lanes,
    request,
)


class App:
    """An app that answers with the body, and holds slow requests."""

    def __init__(self):
        self.go_on = threading.Event()
        self.threads = []
        self.refusals = []
        self.gone = {}
        self.begun = threading.Semaphore(0)

    def __call__(self, environ, start):
        self.threads.append(threading.current_thread())
        if refusal := environ.get(REFUSED):
            self.refusals.append(refusal)
            start("503 Service Unavailable", [])
            return [b"refused"]
        body = environ["wsgi.input"].read()
        if "slow" in environ["PATH_INFO"]:
            try:
                elsewhere(lambda: self.wait(body, environ), environ["QUERY_STRING"])
            except Overloaded as ex:
                start("503 Service Unavailable", [])
                return [str(ex).encode()]
        if environ["PATH_INFO"] == "/bug":
            raise KeyError("a bug")
        start("200 OK", [("X-A", "b")])
        return [body]

    def wait(self, body, environ):
        self.threads.append(threading.current_thread())
        self.begun.release()
        assert self.go_on.wait(PATIENCE)
        self.gone[body] = environ[DEADLINE].is_gone


@pytest.fixture
def app():
    return App()


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def start(app, clock):
    """Return a function that starts a front with options."""
    started = []

    def start(app=app, **options):
        harness = Harness(
            app,
            lane_of=lanes(
                quick={"/quick", "/quick/slow", "/bug"}, streamed={"/stream"}
            ),
            clock=clock,
            **options,
        )
        started.append(harness)
        return harness

    yield start
    app.go_on.set()
    for harness in started:
        harness.close()


@pytest.fixture
def server(start):
    return start()


def ask(server, path="/quick", body=b"", *headers):
    client = server.connect()
    client.send(request(path, body, *headers))
    return client


def begin(server, sent, *headers, path="/quick", length=MAX_BODY):
    """Announce a long body, and send a part of it."""
    client = server.connect()
    client.send(request(path, b"", f"Content-Length: {length}", *headers) + sent)
    return client


def settle(server):
    """Wait until the front has read all that was sent to it before."""
    client = ask(server, body=b"settled")
    assert client.reply()[2] == b"settled"


def answer(client):
    status, _, body = client.reply()
    return status, body


# -- lanes -----------------------------------------------------------------------------


def test_what_is_quick_is_answered_by_the_thread_of_the_network(server, app):
    for _ in range(2):
        assert answer(ask(server, body=b"abc")) == (200, b"abc")
    network = server.call(threading.current_thread)
    assert app.threads == [network, network]


def test_no_thread_waits_for_a_body(server):
    first = begin(server, b"abc", length=6)
    assert answer(ask(server, body=b"other")) == (200, b"other")
    first.send(b"def")
    assert answer(first) == (200, b"abcdef")


def test_a_body_of_no_said_length_is_gathered(server):
    body = chunked(b"abc", b"def")
    client = ask(server, "/quick", body, "Transfer-Encoding: chunked")
    assert answer(client) == (200, b"abcdef")


def test_what_takes_long_is_done_by_a_thread_and_begun_once(server, app):
    slow = ask(server, "/quick/slow", b"abc")
    assert app.begun.acquire(timeout=PATIENCE)
    # The network's thread answers others meanwhile.
    assert answer(ask(server, body=b"quick")) == (200, b"quick")
    app.go_on.set()
    assert answer(slow) == (200, b"abc")
    network = server.call(threading.current_thread)
    assert [thread is network for thread in app.threads] == [True, False, True]


def test_a_path_that_is_never_quick_goes_to_a_thread(server, app):
    assert answer(ask(server, "/other", b"abc")) == (200, b"abc")
    assert server.call(threading.current_thread) not in app.threads


def test_what_is_no_prediction_waits_for_none(server, app):
    for _ in range(3):
        ask(server, "/quick/slow?one", b"a")
    assert app.begun.acquire(timeout=PATIENCE)
    assert answer(ask(server, "/other", b"abc")) == (200, b"abc")


def test_a_large_body_is_not_quick(server, app):
    assert ask(server, body=b"x" * (1 << 17)).reply()[0] == 200
    assert server.call(threading.current_thread) not in app.threads


def test_more_than_may_wait_for_a_model_are_refused_at_once(server, app):
    """One runs and two wait; another model has two places of its own."""
    waiting = [ask(server, "/quick/slow?one", b"a") for _ in range(3)]
    settle(server)
    status, body = answer(ask(server, "/quick/slow?one", b"a"))
    assert (status, body) == (
        503,
        b"2 requests wait for the model already; try again in a moment",
    )
    other = ask(server, "/quick/slow?two", b"b")
    # Quick requests go on meanwhile.
    assert answer(ask(server, body=b"abc")) == (200, b"abc")
    app.go_on.set()
    assert [answer(client) for client in (*waiting, other)] == [
        *[(200, b"a")] * 3,
        (200, b"b"),
    ]


# -- bodies ----------------------------------------------------------------------------


def test_a_body_that_is_too_large_is_not_read(server):
    client = begin(server, b"", length=MAX_BODY + 1)
    assert answer(client) == (200, b"")  # the app refuses it, by its length


def test_no_more_of_a_body_without_length_is_read_than_needs_be(server):
    pieces = [bytes(MAX_BODY // 4)] * 8
    client = ask(server, "/quick", chunked(*pieces), "Transfer-Encoding: chunked")
    status, body = answer(client)
    assert status == 200
    assert MAX_BODY < len(body) <= MAX_BODY + (1 << 18)


def test_bodies_that_are_announced_and_do_not_come_lock_nobody_out(server):
    for _ in range(200):
        begin(server, b"")
    assert ask(server, body=b"x" * 10).reply()[0] == 200
    assert ask(server, body=bytes(MAX_BODY)).reply()[0] == 200


def test_one_client_does_not_lock_all_large_bodies_out(start, app):
    """It may hold a quarter of the limit for all, which is two bodies here."""
    server = start(all_body_bytes=4 * 2 * MAX_BODY)
    half = bytes(MAX_BODY - 1)
    first, second = begin(server, half), begin(server, half)
    settle(server)
    assert answer(begin(server, half)) == (503, b"refused")
    assert isinstance(app.refusals[0], Overloaded)
    other = begin(server, half, "X-Client: another")
    # A body whose client goes makes room.
    first.close()
    settle(server)
    last = begin(server, half)
    for client in (second, other, last):
        client.send(b"x")
        assert client.reply()[0] == 200


def test_a_body_has_no_room_any_more_once_the_app_has_read_it(start):
    """The reply may be a stream that its client takes slowly."""

    def app(environ, start_response):
        start_response("200 OK", [("Content-Length", "3")])
        return iter([environ["wsgi.input"].read()[:3]])

    server = start(app)
    client = ask(server, body=b"abc" * 40_000)
    assert answer(client) == (200, b"abc")
    assert server.front._room._total == 0


def test_a_body_that_stands_still_is_given_up_for_one_that_comes(start, app, clock):
    server = start(all_body_bytes=4 * MAX_BODY)  # a client may have one
    first = begin(server, bytes(MAX_BODY - 1))
    settle(server)
    clock.now += 6
    second = begin(server, bytes(MAX_BODY - 1))
    assert answer(first) == (503, b"refused")
    assert isinstance(app.refusals[0], TooSlow)
    second.send(b"x")
    assert second.reply()[0] == 200


def test_a_body_that_comes_too_slowly_is_refused(server, app, clock):
    slow, faster = begin(server, b"x", length=5000), begin(server, b"x", length=5000)
    faster.send(b"x" * 2048)  # this allows two seconds more
    settle(server)
    clock.now += BODY_SECONDS + 1
    server.call(server.front.sweep)
    assert answer(slow) == (503, b"refused")
    assert isinstance(app.refusals[0], TooSlow)
    faster.send(b"x" * (5000 - 2049))
    assert faster.reply()[0] == 200


def test_a_streamed_body_is_read_by_a_thread_as_it_comes(start):
    come, read = threading.Semaphore(0), []

    def app(environ, start_response):
        if environ["PATH_INFO"] == "/stream":
            while piece := environ["wsgi.input"].read(3):
                read.append(piece)
                come.release()
        start_response("200 OK", [])
        return [b"".join(read)]

    server = start(app)
    client = begin(server, b"abc", path="/stream", length=6)
    assert come.acquire(timeout=PATIENCE)
    assert read == [b"abc"], "it does not wait for the rest"
    client.send(b"def")
    assert answer(client) == (200, b"abcdef")
    client.send(request("/quick"))
    assert client.reply()[0] == 200, "the connection is kept"


def test_uploads_and_downloads_do_not_wait_for_each_other(start):
    def app(environ, start_response):
        if environ.get(REFUSED):
            start_response("503 Service Unavailable", [])
            return [b"refused"]
        if environ["PATH_INFO"] == "/stream":
            return [environ["wsgi.input"].read()]
        start_response("200 OK", [("Content-Length", "3")])
        return iter([b"abc"])

    server = start(app, uploads=1, downloads=1, max_streams_waiting=0)
    first = begin(server, b"a", path="/stream", length=6)
    settled = ask(server)
    assert answer(settled) == (200, b"abc")
    second = begin(server, b"a", path="/stream", length=6)
    assert answer(second) == (503, b"refused")
    while server.front._downloads._running:
        pass  # its client has the whole reply before its thread is free
    assert answer(ask(server)) == (200, b"abc")
    first.close()


def test_downloads_beyond_those_that_run_and_wait_are_refused(start):
    go_on = threading.Event()

    def stream():
        yield b"abc"
        assert go_on.wait(PATIENCE)

    def app(environ, start_response):
        environ[CORS] = (("Access-Control-Allow-Origin", "https://lab.example"),)
        start_response("200 OK", [("Content-Length", "3")])
        return stream()

    server = start(app, downloads=1, max_streams_waiting=1)
    first, second = ask(server), ask(server)
    assert answer(first) == (200, b"abc")
    status, headers, body = ask(server).reply()
    assert status == 503
    assert b"try again" in body
    assert headers["access-control-allow-origin"] == "https://lab.example"
    go_on.set()
    assert answer(second) == (200, b"abc")


def test_a_packed_body_is_answered_by_another_thread(server, app):
    """It may take seconds when it is unpacked, however short it is."""
    packed = ask(server, "/quick", b"abc", "Content-Encoding: gzip")
    assert answer(packed) == (200, b"abc")
    assert app.threads[0] is not server.call(threading.current_thread)


# -- ends ------------------------------------------------------------------------------


def test_who_leaves_while_the_request_waits_is_told_to_the_app(server, app):
    first = ask(server, "/quick/slow?one", b"a")
    assert app.begun.acquire(timeout=PATIENCE)
    second = ask(server, "/quick/slow?one", b"b")
    settle(server)
    second.close()
    settle(server)
    app.go_on.set()
    assert answer(first) == (200, b"a")
    assert answer(ask(server, "/quick/slow?one", b"c")) == (200, b"c")
    assert app.gone == {b"a": False, b"c": False}, "nobody ran the second"


@pytest.mark.parametrize(("path", "size"), [("/slow", 3), ("/quick/slow", 1 << 17)])
def test_who_leaves_while_a_thread_answers_is_told_to_the_app(start, path, size):
    """The application makes a deadline if the server has made none."""
    begun, gone, go_on = threading.Event(), [], threading.Event()

    def app(environ, start_response):
        deadline = environ.setdefault(DEADLINE, Deadline())
        start_response("200 OK", [])
        if environ["PATH_INFO"] == path:
            begun.set()
            assert go_on.wait(PATIENCE)
            gone.append(deadline.is_gone)
        return [environ["wsgi.input"].read()]

    server = start(app)
    client = ask(server, path, bytes(size))
    assert begun.wait(PATIENCE)
    client.close()
    settle(server)
    go_on.set()
    assert answer(ask(server, path, bytes(size))) == (200, bytes(size))
    assert gone == [True, False]


def test_who_leaves_in_a_streamed_reply_is_not_taken_for_the_next_one(start):
    """The fiber that began the reply answers another request by then."""
    begun, go_on = threading.Event(), threading.Event()

    def app(environ, start_response):
        if environ["PATH_INFO"] == "/quick/slow":
            elsewhere(lambda: begun.set() or go_on.wait(PATIENCE))
        start_response("200 OK", [])
        if environ["PATH_INFO"] == "/bug":
            return iter([bytes(1 << 16)] * 1000)
        return [environ["wsgi.input"].read()]

    server = start(app)
    streamed = ask(server, "/bug")
    streamed.socket.recv(1)
    waiting = ask(server, "/quick/slow", b"whole")
    assert begun.wait(PATIENCE)
    streamed.close()
    settle(server)
    go_on.set()
    assert answer(waiting) == (200, b"whole")


def test_a_client_that_goes_gets_no_reply_and_harms_nobody(server, app):
    begin(server, b"abc", length=6).close()
    ask(server, body=b"abc").close()
    assert answer(ask(server, body=b"abc")) == (200, b"abc")


def test_a_request_ends_at_its_deadline_and_not_when_its_turn_comes(start, app):
    """Another thread still works on it."""
    late = []

    def with_deadline(environ, start_response):
        environ[DEADLINE].at = environ["tfaas.arrived"] + 0.01
        try:
            return app(environ, start_response)
        except Exception as ex:
            late.append(ex)
            start_response("504 Gateway Timeout", [])
            return [b"late"]

    server = start(with_deadline)
    client = ask(server, "/quick/slow", b"abc")
    assert answer(client) == (504, b"late")
    assert not app.go_on.is_set()
    assert [type(ex).__name__ for ex in late] == ["Expired"]


def test_a_bug_is_a_500_without_a_word_of_it(server):
    status, body = answer(ask(server, "/bug", b"abc"))
    assert status == 500
    assert b"bug" not in body
    assert answer(ask(server, body=b"abc")) == (200, b"abc")


@pytest.mark.parametrize(
    ("kind", "value"), [(list, None), (list, "b\r\nX-Forged: c"), (iter, "b\nc")]
)
def test_a_reply_in_the_apps_place_is_read_by_the_same_pages(start, kind, value):
    def app(environ, start_response):
        environ[CORS] = (("Access-Control-Allow-Origin", "https://lab.example"),)
        if value is None:
            raise KeyError("a bug")
        start_response("200 OK", [("X-A", value)])
        return kind([b"abc"])

    status, headers, _ = ask(start(app)).reply()
    assert status == 500
    assert headers["access-control-allow-origin"] == "https://lab.example"


def test_a_head_that_does_not_come_is_not_waited_for(server):
    half, idle, busy = server.connect(), ask(server), server.connect()
    half.send(b"GET /li")
    idle.reply()
    busy.send(request("/quick", b"", "Content-Length: 3"))
    settle(server)
    for connection in list(server.front._connections):
        connection.since -= HEAD_SECONDS + 1
    server.call(server.front.sweep)
    assert half.rest() == idle.rest() == b""
    busy.send(b"abc")
    assert answer(busy) == (200, b"abc")


def test_the_connection_that_is_idle_longest_makes_room(start, app):
    server = start(connections=3)
    idle = [ask(server) for _ in range(2)]
    for client in idle:
        client.reply()
    busy = ask(server, "/quick/slow", b"a")
    assert app.begun.acquire(timeout=PATIENCE)
    new = ask(server, body=b"new")
    assert answer(new) == (200, b"new")
    assert idle[0].socket.recv(1) == b""
    idle[1].send(request("/quick", b"there"))
    assert answer(idle[1]) == (200, b"there")
    # Where all are busy, a client is told so, and does not wait in silence.
    others = [ask(server, "/quick/slow?x", b"a") for _ in range(2)]
    settled = [client for client in (new, idle[1])]
    for client in settled:
        client.close()
    refused = ask(server)
    status, headers, body = refused.reply()
    assert (status, headers["connection"]) == (503, "close")
    assert b"too many connections" in body
    app.go_on.set()
    for client in (busy, *others):
        assert answer(client) == (200, b"a")


def test_the_end_answers_what_is_held_and_one_more_request_of_each(start, app):
    server = start(grace_seconds=2.0)  # a busy machine may be late
    held = ask(server, "/quick/slow", b"a")
    idle = [ask(server) for _ in range(2)]
    for client in idle:
        client.reply()
    assert app.begun.acquire(timeout=PATIENCE)
    drained = asyncio.run_coroutine_threadsafe(server.front.drain(), server.loop)
    settled = server.call(lambda: server.front.is_draining)
    assert settled
    idle[0].send(request("/quick", b"last"))
    status, headers, body = idle[0].reply()
    assert (status, headers["connection"], body) == (200, "close", b"last")
    assert idle[0].rest() == idle[1].rest() == b""
    assert not drained.done()
    app.go_on.set()
    status, headers, body = held.reply()
    assert (status, headers["connection"], body) == (200, "close", b"a")
    drained.result(PATIENCE)


# -- calls of other doors --------------------------------------------------------------


def test_calls_of_other_threads_join_one_run(server):
    runs = []

    def run(inputs):
        runs.append((threading.current_thread(), inputs["x"].ravel().tolist()))
        return {"y": inputs["x"] * 2}

    turn = Turn(run, max_batch_size=32, seconds=1e-6)

    def call(number):
        inputs = {"x": np.array([[number]], np.float32)}
        outputs = turn.submit(current_fiber(), inputs, 1, ("x",), None)
        return outputs["y"].item()

    numbers = range(4)
    there = threading.Semaphore(0)
    wake = server.front.wake

    def noticed(call):
        wake(call)
        there.release()

    server.front.wake = noticed
    go_on = threading.Event()
    server.loop.call_soon_threadsafe(go_on.wait, PATIENCE)
    with ThreadPoolExecutor(len(numbers)) as pool:
        asked = [
            pool.submit(server.front.ask, functools.partial(call, n), Deadline(), 1, "")
            for n in numbers
        ]
        # All of them stand before the loop's next turn.
        for _ in numbers:
            assert there.acquire(timeout=PATIENCE)
        go_on.set()
        assert [one.result(PATIENCE) for one in asked] == [2.0 * n for n in numbers]
    ((thread, items),) = runs
    assert thread is server._thread
    assert sorted(items) == list(numbers)


def test_a_call_raises_what_it_raises(server):
    def fail():
        raise KeyError("a bug")

    for _ in range(2):  # the fiber answers again after it
        with pytest.raises(KeyError):
            server.front.ask(fail, Deadline(), 1, "/m")
    assert server.front.ask(lambda: 7, Deadline(), 1, "/m") == 7


def test_a_large_call_is_made_elsewhere(server):
    ask = server.front.ask
    quick = ask(threading.current_thread, Deadline(), 1 << 16, "/m")
    large = ask(threading.current_thread, Deadline(), (1 << 16) + 1, "/m")
    assert quick is server._thread
    assert large is not server._thread


def test_too_many_large_calls_are_refused(start):
    server = start(threads=1, max_waiting=0)
    begun, go_on = threading.Event(), threading.Event()

    def hold():
        begun.set()
        return go_on.wait(PATIENCE)

    with ThreadPoolExecutor(1) as pool:
        held = pool.submit(server.front.ask, hold, Deadline(), 1 << 20, "/m")
        assert begun.wait(PATIENCE)
        with pytest.raises(Overloaded):
            server.front.ask(lambda: 7, Deadline(), 1 << 20, "/m")
        go_on.set()
        assert held.result(PATIENCE)


def test_a_call_whose_time_is_over_is_woken(server):
    begun, go_on = threading.Event(), threading.Event()

    def hold():
        begun.set()
        go_on.wait(PATIENCE)

    deadline = Deadline(at=0.001)  # the clock of the loop's timers is real
    with pytest.raises(Expired):
        server.front.ask(lambda: elsewhere(hold, "m"), deadline, 1, "/m")
    go_on.set()
