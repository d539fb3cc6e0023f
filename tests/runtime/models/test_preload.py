import threading

import pytest

from bundle.folder import open_bundle
from runtime.backends.opening import Opened
from runtime.errors import BackendError
from runtime.models.fallback import RETRY_SECONDS
from runtime.models.model import Model
from runtime.models.preload import Preloader
from runtime.models.registry import ModelRegistry
from tests.examples import write_bundle
from tests.runtime.fakes import FakeBackend


class Opener:
    """An opener that waits until it may go on."""

    def __init__(self):
        self.go = threading.Event()
        self.broken = set()

    def __call__(self, version):
        assert self.go.wait(10)
        if version.name in self.broken:
            raise BackendError("broken weights")
        bundle = open_bundle(version.path)
        return Model(bundle, version.number, Opened(FakeBackend()), None)


@pytest.fixture
def opener():
    return Opener()


@pytest.fixture
def now():
    return [0.0]


@pytest.fixture
def registry(store, opener, now):
    return ModelRegistry(store, opener, limit=10, clock=lambda: now[0])


def publish(store, *names):
    for name in names:
        store.install(lambda folder, name=name: write_bundle(folder, name=name))


def done(preloader):
    """Wait until the running load has ended."""
    assert preloader._thread.was_started
    assert preloader._thread.join(10)


def test_without_names_the_service_is_ready_and_no_thread_runs(registry, store):
    preloader = Preloader(registry, store, ())
    preloader.start()
    assert preloader.missing() == []
    assert not preloader._thread.was_started


def test_what_is_still_loaded_is_missing_and_then_is_not(store, opener, registry):
    publish(store, "a", "b")
    preloader = Preloader(registry, store, ("a", "b"))
    preloader.start()
    assert preloader.missing() == [
        "model 'a' is still to be loaded",
        "model 'b' is still to be loaded",
    ]
    opener.go.set()
    done(preloader)
    assert preloader.missing() == []
    assert registry.peek("a", 1)
    assert registry.peek("b", 1)


def test_a_star_is_every_model_that_there_is_at_the_start(store, opener, registry):
    publish(store, "a", "b")
    opener.go.set()
    preloader = Preloader(registry, store, ("*",))
    assert preloader.missing() == ["the store is still to be read"]
    done(preloader)
    publish(store, "c")
    assert preloader.missing() == []
    assert registry.peek("a", 1)
    assert registry.peek("b", 1)
    assert registry.peek("c", 1) is None


def test_a_star_of_an_empty_store_is_ready(store, registry):
    preloader = Preloader(registry, store, ("*",))
    preloader.start()
    done(preloader)
    assert preloader.missing() == []


def test_a_model_that_is_not_there_is_missing_until_it_is(store, opener, registry):
    opener.go.set()
    preloader = Preloader(registry, store, ("late",))
    preloader.start()
    done(preloader)
    publish(store, "late")
    (reason,) = preloader.missing()
    assert "there is no model 'late'" in reason
    done(preloader)
    assert preloader.missing() == []


def test_a_broken_model_holds_up_no_other_and_is_tried_again(
    store, opener, registry, now, caplog
):
    publish(store, "a", "b")
    opener.go.set()
    opener.broken = {"a"}
    preloader = Preloader(registry, store, ("a", "b"))
    preloader.start()
    done(preloader)
    assert registry.peek("b", 1)
    for _ in range(3):
        now[0] += RETRY_SECONDS
        (reason,) = preloader.missing()
        assert "'a' version 1 cannot be loaded: broken weights" in reason
        done(preloader)
    said = [r for r in caplog.records if r.name == "runtime.models.preload"]
    assert len(said) == 1
    opener.broken = set()
    now[0] += RETRY_SECONDS
    preloader.missing()
    done(preloader)
    assert preloader.missing() == []


def test_what_was_loaded_once_is_ready_for_good(store, opener, registry):
    publish(store, "a")
    opener.go.set()
    preloader = Preloader(registry, store, ("a",))
    preloader.start()
    done(preloader)
    store.delete("a")
    assert preloader.missing() == []


def test_a_broken_model_that_is_deleted_keeps_a_star_from_nothing(
    store, opener, registry
):
    publish(store, "a", "b")
    opener.go.set()
    opener.broken = {"a"}
    preloader = Preloader(registry, store, ("*",))
    preloader.start()
    done(preloader)
    (reason,) = preloader.missing()
    assert "broken weights" in reason
    done(preloader)
    store.delete("a")
    preloader.missing()
    done(preloader)
    assert preloader.missing() == []


def test_a_model_that_is_named_besides_a_star_is_waited_for(store, opener, registry):
    publish(store, "a")
    opener.go.set()
    preloader = Preloader(registry, store, ("*", "late"))
    preloader.start()
    done(preloader)
    (reason,) = preloader.missing()
    assert "there is no model 'late'" in reason
