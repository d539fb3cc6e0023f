"""No request holds a lock while it is parked, because the next would wait for ever."""

import json
import threading

import pytest
from falcon.testing import create_environ

from runtime.http.application import create_app
from runtime.lane import Fiber
from runtime.services import create_services
from tests.clients import HERE
from tests.examples import write_bundle
from tests.forms import form, png
from tests.runtime.hubs import Hub

IMAGE = png([[1, 2], [3, 4]])
LARGE = png([[0] * 300] * 300)  # it is decoded elsewhere


class Held:
    """The locks that this thread holds."""

    def __init__(self):
        self.thread = threading.get_ident()
        self.locks = []

    def made(self, make):
        held = self

        class Watched:
            def __init__(self):
                self._lock = make()

            def acquire(self, *arguments, **named):
                taken = self._lock.acquire(*arguments, **named)
                if taken and threading.get_ident() == held.thread:
                    held.locks.append(self)
                return taken

            def release(self):
                if self in held.locks:
                    held.locks.remove(self)
                self._lock.release()

            def locked(self):
                return self._lock.locked()

            # A thread that starts now outlives this test, and another test may fork.
            def _at_fork_reinit(self):
                self._lock._at_fork_reinit()

            def __enter__(self):
                self.acquire()

            def __exit__(self, *_):
                self.release()

        return Watched


@pytest.fixture
def held(monkeypatch):
    held = Held()
    monkeypatch.setattr(threading, "Lock", held.made(threading.Lock))
    return held


def environ_of(path, body, headers):
    return create_environ(path, method="POST", body=body, headers=headers, **HERE)


def test_no_lock_is_held_where_a_request_is_parked(held, config, monkeypatch):
    parked, replies = [], []
    park = Fiber.park

    def watched(lane):
        parked.append(list(held.locks))
        return park(lane)

    monkeypatch.setattr(Fiber, "park", watched)
    for name in ("linear", "slow"):
        write_bundle(config.model_dir / name / "1", name=name)
    services = create_services(config)
    app = create_app(services, config)
    hub = Hub()

    def ask(path, body, headers):
        def run():
            status = []
            chunks = app(
                environ_of(path, body, headers), lambda s, *_: status.append(s)
            )
            replies.append((status[0], json.loads(b"".join(chunks))))

        return hub.begin(run)

    def settle(lanes):
        while not all(lane in hub.free for lane in lanes):
            hub.turn()

    body, headers = form(image=IMAGE, model="linear")
    settle([ask("/predict/image", body, headers)])  # this loads the model
    settle([ask("/predict/image", body, headers) for _ in range(3)])  # one turn
    large, its_headers = form(image=LARGE, model="linear")
    settle([ask("/predict/image", large, its_headers)])
    rows = json.dumps({"model": "slow", "values": [1, 2, 3, 4]}).encode()
    settle([ask("/predict/json", rows, {"Content-Type": "application/json"})])
    hub.pool.shutdown()
    assert [status for status, _ in replies[:4]] == ["200 OK"] * 4
    assert hub.offered.count("linear") == 2, "a load, and a large picture"
    assert "slow" in hub.offered
    assert len(parked) >= 6
    assert parked == [[]] * len(parked)


def test_a_lock_that_is_held_would_be_seen(held):
    lock = threading.Lock()
    with lock:
        assert held.locks == [lock]
    assert held.locks == []
