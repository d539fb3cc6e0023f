"""A worker follows one change of settings after the other."""

import threading
from types import SimpleNamespace

from runtime.server import following as module
from runtime.server.following import Following, _Prepared
from runtime.server.orders import Take
from runtime.telemetry.reading import Reading

PATIENCE = 30


class Services:
    def __init__(self, name, done):
        self.config = name
        self.may_reopen = threading.Event()
        self._done = done

    def follow(self):
        pass

    def reopen(self, before):
        assert self.may_reopen.wait(PATIENCE)
        self._done.append((before.config, self.config))


def test_a_slow_change_is_over_before_the_next_one_begins(monkeypatch):
    monkeypatch.setattr(module.reading, "tell", lambda *_, **__: None)
    done = []
    first, second, third = (Services(name, done) for name in ("one", "two", "three"))
    loop = SimpleNamespace(call_soon_threadsafe=lambda call, *given: call(*given))
    front = SimpleNamespace(renew=lambda app, door: None)
    app = SimpleNamespace(door=None)
    following = Following(first, app, front, None, None, loop, is_counting=False)
    third.may_reopen.set()
    for number, services in enumerate((second, third)):
        following._prepared = _Prepared(services, app, None, None)
        assert following.do(Take(number, Reading(0.0))) == ""
    assert following.config == "three"
    threads = [t for t in threading.enumerate() if t.name == "settings"]
    threads[-1].join(0.1)  # time for a mistake
    second.may_reopen.set()
    for thread in threads:
        thread.join(PATIENCE)
    assert done == [("one", "two"), ("two", "three")]
