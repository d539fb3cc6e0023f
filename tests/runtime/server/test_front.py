"""The front serves a WSGI app that answers with its request and its thread."""

import threading

import pytest

from runtime.errors import Overloaded, TooSlow
from runtime.http.environ_keys import DEADLINE, REFUSED
from runtime.http.routes import Lane
from runtime.process.lane import leave_the_quick_lane
from runtime.server.front import Front
from runtime.server.room import BODY_SECONDS
from tests.runtime.server.fakes import FakeWatcher

PATIENCE = 30
MAX_BODY = 1 << 20


class App:
    """An app that answers with the body and the thread, and holds slow requests."""

    def __init__(self):
        self.go_on = threading.Event()
        self.threads = []
        self.refusals = []
        self.gone = {}

    def __call__(self, environ, start):
        self.threads.append(threading.current_thread())
        if refusal := environ.get(REFUSED):
            self.refusals.append(refusal)
            start("503 Service Unavailable", [])
            return [b"refused"]
        if "slow" in environ["PATH_INFO"]:
            leave_the_quick_lane(environ["QUERY_STRING"])
            assert self.go_on.wait(PATIENCE)
            deadline = environ.get(DEADLINE)
            if deadline and "wsgi.input" in environ:
                body = environ["wsgi.input"].getvalue()
                self.gone[body] = deadline.is_gone
        if environ["PATH_INFO"] == "/bug":
            raise KeyError("a bug")
        start("200 OK", [("X-A", "b")])
        return [environ["wsgi.input"].read()]


def lanes(quick=(), streamed=()):
    of = dict.fromkeys(quick, Lane.QUICK) | dict.fromkeys(streamed, Lane.STREAMED)
    return lambda path: of.get(path, Lane.OTHER)


class OpenDoor:
    """A door that takes all bodies but those of /closed; a client is its address."""

    def takes_body(self, environ):
        return environ["PATH_INFO"] != "/closed"

    def client_of(self, environ):
        return environ["REMOTE_ADDR"]


class Clock:
    def __init__(self):
        self.now = 1000.0

    def __call__(self):
        return self.now


@pytest.fixture
def app():
    app = App()
    yield app
    app.go_on.set()


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def front(app, clock):
    return made(app, clock)


def made(app, clock, **options):
    return Front(
        app,
        OpenDoor(),
        lane_of=lanes(quick={"/quick", "/quick/slow", "/bug"}, streamed={"/stream"}),
        threads=1,
        max_waiting=2,
        max_body_bytes=MAX_BODY,
        clock=clock,
        **options,
    )


def ask(front, path="/quick", body=b"", query="", **headers):
    watcher = FakeWatcher(path, content_length=str(len(body)), **headers)
    watcher.scope.query_string = query
    front(watcher)
    if body:
        watcher.come(body)
    return watcher


def test_what_is_quick_is_answered_by_the_thread_that_brings_it(front, app):
    assert ask(front, body=b"abc").reply == (200, b"abc")
    assert app.threads == [threading.current_thread()]


def test_no_thread_waits_for_a_body(front, app):
    watcher = FakeWatcher(content_length="6")
    front(watcher)
    watcher.come(b"abc")
    assert watcher.proto.replies == []
    assert ask(front, body=b"other").reply == (200, b"other")
    watcher.come(b"def")
    assert watcher.reply == (200, b"abcdef")


def test_a_body_of_no_said_length_ends_with_an_empty_piece(front):
    watcher = FakeWatcher(transfer_encoding="chunked")
    front(watcher)
    for piece in (b"abc", b"def", b""):
        watcher.come(piece)
    assert watcher.reply == (200, b"abcdef")


def test_what_turns_out_slow_is_begun_anew_by_another_thread(front, app):
    watcher = ask(front, "/quick/slow", b"abc")
    app.go_on.set()
    front._work._pool.shutdown()
    assert watcher.reply == (200, b"abc")
    first, second = app.threads
    assert first is threading.current_thread() is not second


def test_a_path_that_is_never_quick_goes_to_a_thread(front, app):
    watcher = ask(front, "/other", b"abc")
    front._others._pool.shutdown()
    assert watcher.reply == (200, b"abc")
    assert threading.current_thread() not in app.threads


def test_what_is_no_prediction_waits_for_none(front, app):
    for _ in range(3):
        ask(front, "/quick/slow", b"a", query="one")
    watcher = ask(front, "/other", b"abc")
    front._others._pool.shutdown()
    assert watcher.reply == (200, b"abc")


def test_a_client_that_goes_before_its_reply_harms_nobody(front):
    watcher = FakeWatcher(content_length="3")
    watcher.proto.response_bytes = None  # every call of it fails
    front(watcher)
    watcher.come(b"abc")
    assert ask(front, body=b"abc").reply == (200, b"abc")


def test_a_large_body_is_not_quick(front, app):
    watcher = ask(front, body=b"x" * (1 << 17))
    front._work._pool.shutdown()
    assert watcher.reply[0] == 200
    assert threading.current_thread() not in app.threads


def test_more_than_may_wait_for_a_model_are_refused_at_once(front, app):
    """One runs and two wait; another model has two places of its own."""
    for _ in range(3):
        ask(front, "/quick/slow", b"a", query="one")
    refused = ask(front, "/quick/slow", b"a", query="one")
    assert refused.reply == (503, b"refused")
    assert isinstance(app.refusals[0], Overloaded)
    assert ask(front, "/quick/slow", b"a", query="two").proto.replies == []
    # Quick requests go on meanwhile.
    assert ask(front, body=b"abc").reply == (200, b"abc")


def test_a_body_that_is_too_large_is_not_read(front):
    watcher = FakeWatcher(content_length=str(MAX_BODY + 1))
    front(watcher)
    assert watcher.proto.asked == []
    front._work._pool.shutdown()
    assert watcher.reply == (200, b"")  # the app refuses it, by its length


def test_no_more_of_a_body_without_length_is_read_than_needs_be(front):
    watcher = FakeWatcher(transfer_encoding="chunked")
    front(watcher)
    for _ in range(5):
        watcher.come(bytes(MAX_BODY // 4))
    front._work._pool.shutdown()
    status, body = watcher.reply
    assert (status, len(body)) == (200, MAX_BODY // 4 * 5)


def test_a_body_that_nobody_may_send_is_answered_unread(front, app):
    for headers in ({"content_length": "9"}, {"transfer_encoding": "chunked"}):
        watcher = FakeWatcher("/closed", **headers)
        front(watcher)
        assert watcher.proto.asked == []
    front._others._pool.shutdown()
    assert watcher.reply == (200, b"")  # the app refuses it


def test_bodies_that_are_announced_and_do_not_come_lock_nobody_out(front):
    for _ in range(2000):
        front(FakeWatcher(content_length=str(MAX_BODY)))
    assert ask(front, body=b"x" * 10).reply[0] == 200
    watcher = ask(front, body=bytes(MAX_BODY))
    front._work._pool.shutdown()
    assert watcher.reply[0] == 200


def test_one_client_does_not_lock_all_large_bodies_out(app, clock):
    """It may hold a quarter of the limit for all, which is two bodies here."""
    front = made(app, clock, all_body_bytes=4 * 2 * MAX_BODY)
    half = bytes(MAX_BODY - 1)
    first, second, third = (FakeWatcher(content_length=str(MAX_BODY)) for _ in "abc")
    for watcher in (first, second, third):
        front(watcher)
        watcher.come(half)
    assert (first.proto.replies, second.proto.replies) == ([], [])
    assert third.reply == (503, b"refused")
    assert isinstance(app.refusals[0], Overloaded)
    other = FakeWatcher(content_length=str(MAX_BODY))
    other.scope.client = "198.51.100.7:1"
    front(other)
    other.come(half)
    assert other.proto.replies == []
    # A body whose client goes makes room.
    first.proto.asked[-1].come(error=ConnectionError())
    last = FakeWatcher(content_length=str(MAX_BODY))
    front(last)
    last.come(half)
    assert last.proto.replies == []


def test_a_body_that_stands_still_is_given_up_for_one_that_comes(app, clock):
    front = made(app, clock, all_body_bytes=4 * MAX_BODY)  # a client may have one
    first, second = (FakeWatcher(content_length=str(MAX_BODY)) for _ in "ab")
    front(first)
    first.come(bytes(MAX_BODY - 1))
    clock.now += 6
    front(second)
    second.come(bytes(MAX_BODY - 1))
    assert first.reply == (503, b"refused")
    assert isinstance(app.refusals[0], TooSlow)
    second.come(b"x")
    front._work._pool.shutdown()
    assert second.reply[0] == 200


def test_who_leaves_while_the_request_waits_is_told_to_the_app(front, app):
    first = ask(front, "/quick/slow", b"a", query="one")
    second = ask(front, "/quick/slow", b"b", query="one")
    second.proto.leaving.come()
    app.go_on.set()
    front._work._pool.shutdown()
    assert app.gone == {b"a": False, b"b": True}
    assert first.reply == (200, b"a")


def test_uploads_and_downloads_do_not_wait_for_each_other(app, clock):
    front = Front(
        app,
        OpenDoor(),
        lane_of=lanes(streamed={"/slow/stream"}),
        threads=1,
        max_waiting=1,
        max_body_bytes=MAX_BODY,
        uploads=1,
        downloads=1,
        max_streams_waiting=0,
        clock=clock,
    )
    uploads = [FakeWatcher("/slow/stream", content_length="6") for _ in "ab"]
    for watcher in uploads:
        front(watcher)
    assert uploads[1].reply == (503, b"refused")
    assert front._downloads.offer("", lambda: None)


def test_a_client_that_goes_gets_no_reply(front, app):
    watcher = FakeWatcher(content_length="6")
    front(watcher)
    watcher.proto.asked[-1].come(error=ConnectionError())
    assert (watcher.proto.replies, watcher.ends) == ([], 1)
    assert app.threads == []


def test_a_body_that_comes_too_slowly_is_refused(front, app, clock):
    slow, faster = (FakeWatcher(content_length="5000") for _ in range(2))
    front(slow)
    front(faster)
    slow.come(b"x")
    faster.come(b"x" * 2048)  # this allows two seconds more
    clock.now += BODY_SECONDS + 1
    front.sweep()
    assert slow.reply == (503, b"refused")
    assert isinstance(app.refusals[0], TooSlow)
    assert faster.proto.replies == []
    faster.come(b"x" * (5000 - 2048))
    assert faster.reply[0] == 200


def test_a_streamed_body_is_read_by_a_thread_as_it_comes(front):
    watcher = FakeWatcher("/stream", content_length="6")
    front(watcher)
    for piece in (b"abc", b"def", b""):
        while not watcher.proto.asked or watcher.proto.asked[-1]._calls == []:
            pass
        asked = len(watcher.proto.asked)
        watcher.come(piece)
        while piece and len(watcher.proto.asked) == asked:
            pass
    front._uploads._pool.shutdown()
    assert watcher.reply == (200, b"abcdef")


def test_a_bug_is_a_500_without_a_word_of_it(front):
    status, body = ask(front, "/bug", b"abc").reply
    assert status == 500
    assert b"bug" not in body
    assert ask(front, body=b"abc").reply == (200, b"abc")


def test_downloads_beyond_those_that_run_and_wait_are_refused(app, clock):
    def streaming(environ, start):
        start("200 OK", [])
        return iter([b"abc"])

    front = Front(
        streaming,
        OpenDoor(),
        lane_of=lanes(quick={"/quick"}),
        threads=1,
        max_waiting=1,
        max_body_bytes=MAX_BODY,
        downloads=1,
        max_streams_waiting=1,
        clock=clock,
    )
    watchers = [ask(front) for _ in range(3)]
    status, body = watchers[2].reply
    assert status == 503
    assert b"try again" in body
