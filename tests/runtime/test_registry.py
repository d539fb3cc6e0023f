import shutil
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from bundle.errors import BundleError, ModelNotFound
from bundle.folder import open_bundle
from bundle.store import ModelStore
from runtime.backends import Opened
from runtime.errors import BackendError
from runtime.model import Model
from runtime.registry import RETRY_SECONDS, ModelRegistry
from runtime.spec import ModelSpec
from tests.examples import write_bundle
from tests.runtime.fakes import FakeBackend


class Opener:
    """Opens versions with a fake backend, and keeps which it was asked for."""

    def __init__(self):
        self.opened = []
        self.broken = set()

    def __call__(self, version):
        self.opened.append((version.name, version.number))
        if version.number in self.broken:
            raise BackendError("broken weights")
        bundle = open_bundle(version.path)
        return Model(bundle, version.number, Opened(FakeBackend()), None)


class HeldOpener(Opener):
    """Opens as Opener does, but for one version, which waits until it may go on."""

    def __init__(self, held):
        super().__init__()
        self.held = held
        self.started, self.go = threading.Event(), threading.Event()

    def __call__(self, version):
        if version.number == self.held:
            self.started.set()
            assert self.go.wait(10)
        return super().__call__(version)


@pytest.fixture
def store(tmp_path):
    return ModelStore(tmp_path / "models")


@pytest.fixture
def opener():
    return Opener()


@pytest.fixture
def registry(store, opener):
    return ModelRegistry(store, opener, limit=2)


def publish(store, name="linear"):
    return store.install(lambda folder: write_bundle(folder, name=name))


def test_a_model_is_loaded_once(store, opener, registry):
    publish(store)
    assert registry.get(ModelSpec("linear")) is registry.get(ModelSpec("linear"))
    assert opener.opened == [("linear", 1)]


def test_a_new_version_serves_on_the_next_request(store, registry):
    publish(store)
    registry.get(ModelSpec("linear"))
    publish(store)
    assert registry.get(ModelSpec("linear")).version == 2


def test_a_model_that_gained_a_file_is_loaded_again(store, registry):
    version = publish(store)
    before = registry.get(ModelSpec("linear"))
    (version.path / "new-file").touch()
    assert registry.get(ModelSpec("linear")) is not before


def test_a_broken_version_does_not_replace_one_that_serves(store, opener, registry):
    publish(store)
    registry.get(ModelSpec("linear"))
    opener.broken = {2}
    publish(store)
    assert registry.get(ModelSpec("linear")).version == 1
    assert registry.get(ModelSpec("linear")).version == 1
    assert opener.opened == [("linear", 1), ("linear", 2)], "and it is tried once"


def test_after_a_broken_version_a_whole_one_serves(store, opener, registry):
    publish(store)
    registry.get(ModelSpec("linear"))
    opener.broken = {2}
    publish(store)
    registry.get(ModelSpec("linear"))
    publish(store)
    assert registry.get(ModelSpec("linear")).version == 3


def test_a_broken_model_is_an_error_of_the_server(store, opener, registry):
    opener.broken = {1}
    publish(store)
    for _ in range(3):
        with pytest.raises(BackendError, match="'linear' cannot be loaded: broken"):
            registry.get(ModelSpec("linear"))
    assert opener.opened == [("linear", 1)], "and it is tried once"


def test_a_broken_bundle_is_an_error_of_the_server(store, registry):
    publish(store)
    (store.root / "linear" / "1" / "labels.txt").unlink()
    with pytest.raises(BackendError, match="labels.txt is missing"):
        registry.get(ModelSpec("linear"))


def test_a_deleted_model_is_let_go(store, registry):
    publish(store)
    registry.get(ModelSpec("linear"))
    store.delete("linear")
    with pytest.raises(ModelNotFound):
        registry.get(ModelSpec("linear"))
    assert registry.peek("linear", 1) is None


def test_a_name_used_again_after_delete_serves_the_new_model(store, opener, registry):
    """TFaaS itself goes on serving the old weights."""
    publish(store)
    before = registry.get(ModelSpec("linear"))
    store.delete("linear")
    publish(store)
    assert registry.get(ModelSpec("linear")) is not before


def test_a_model_deleted_while_it_is_read_is_not_found(store, registry, opener):
    publish(store)

    def delete_and_fail(version):
        store.delete("linear")
        raise BundleError("params.json is missing")

    registry = ModelRegistry(store, delete_and_fail, limit=2)
    with pytest.raises(ModelNotFound):
        registry.get(ModelSpec("linear"))


def test_the_model_unused_longest_goes_first(store, registry):
    for name in ("a", "b", "c"):
        publish(store, name)
    registry.get(ModelSpec("a"))
    registry.get(ModelSpec("b"))
    registry.get(ModelSpec("a"))
    registry.get(ModelSpec("c"))
    loaded = [name for name in ("a", "b", "c") if registry.peek(name, 1)]
    assert loaded == ["a", "c"]


def test_many_first_requests_load_one_model(store):
    publish(store)
    opened, go = [], threading.Event()

    def open_slowly(version):
        opened.append(version)
        assert go.wait(10)
        return Opener()(version)

    registry = ModelRegistry(store, open_slowly, limit=2)
    with ThreadPoolExecutor(8) as pool:
        futures = [pool.submit(registry.get, ModelSpec("linear")) for _ in range(8)]
        go.set()
        models = {id(future.result(timeout=10)) for future in futures}
    assert len(models) == len(opened) == 1


def test_one_model_loading_does_not_hold_up_another(store):
    for name in ("slow", "quick"):
        publish(store, name)
    started, go = threading.Event(), threading.Event()

    def open_one(version):
        if version.name == "slow":
            started.set()
            assert go.wait(10)
        return Opener()(version)

    registry = ModelRegistry(store, open_one, limit=2)
    with ThreadPoolExecutor(1) as pool:
        slow = pool.submit(registry.get, ModelSpec("slow"))
        assert started.wait(10)
        assert registry.get(ModelSpec("quick")).version == 1
        go.set()
        assert slow.result(timeout=10).version == 1


def test_a_store_that_was_removed_has_no_models(store, registry):
    publish(store)
    registry.get(ModelSpec("linear"))
    shutil.rmtree(store.root)
    with pytest.raises(ModelNotFound):
        registry.get(ModelSpec("linear"))


def test_in_a_fresh_process_the_newest_that_loads_serves(store, opener, registry):
    """As in one that has run all the while: two processes must not differ."""
    for _ in range(4):
        publish(store)
    opener.broken = {3, 4}
    assert registry.get(ModelSpec("linear")).version == 2
    assert registry.get(ModelSpec("linear")).version == 2
    assert [number for _, number in opener.opened] == [4, 3, 2], "and each tried once"


def test_a_request_that_waited_does_not_bring_an_old_version_back(store):
    """It saw version 1, and version 2 was published and loaded while it waited."""
    publish(store)
    opened, started, go = [], threading.Event(), threading.Event()

    def open_slowly(version):
        opened.append(version.number)
        started.set()
        assert go.wait(10)
        return Opener()(version)

    registry = ModelRegistry(store, open_slowly, limit=2)
    with ThreadPoolExecutor(2) as pool:
        first = pool.submit(registry.get, ModelSpec("linear"))
        assert started.wait(10)
        waiting = pool.submit(registry.get, ModelSpec("linear"))
        publish(store)
        go.set()
        first.result(timeout=10)
        waiting.result(timeout=10)
    assert registry.get(ModelSpec("linear")).version == 2
    assert opened == [1, 2], "each once"


def test_a_dropped_model_is_not_in_memory(store, registry):
    publish(store)
    registry.get(ModelSpec("linear"))
    registry.drop("linear")
    assert registry.peek("linear", 1) is None


def test_what_failed_is_tried_again_after_a_while(store, opener):
    """It may have been a moment's want of memory."""
    now = [0.0]
    registry = ModelRegistry(store, opener, limit=2, clock=lambda: now[0])
    opener.broken = {1}
    publish(store)
    with pytest.raises(BackendError):
        registry.get(ModelSpec("linear"))
    opener.broken = set()
    now[0] = RETRY_SECONDS - 0.1
    with pytest.raises(BackendError):
        registry.get(ModelSpec("linear"))
    now[0] = RETRY_SECONDS
    assert registry.get(ModelSpec("linear")).version == 1


def test_the_version_that_stood_in_does_so_again_after_it_was_let_go(
    store, opener, registry
):
    publish(store)
    registry.get(ModelSpec("linear"))
    opener.broken = {2}
    publish(store)
    assert registry.get(ModelSpec("linear")).version == 1
    for name in ("a", "b"):
        publish(store, name)
        opener.broken = set()
        registry.get(ModelSpec(name))
        opener.broken = {2}
    assert registry.peek("linear", 1) is None
    assert registry.get(ModelSpec("linear")).version == 1


def test_a_deleted_model_never_stands_in_for_one_of_its_name(store, opener, registry):
    publish(store)
    publish(store)
    assert registry.get(ModelSpec("linear")).version == 2
    store.delete("linear")
    opener.broken = {1}
    publish(store)
    with pytest.raises(BackendError, match="cannot be loaded"):
        registry.get(ModelSpec("linear"))
    with pytest.raises(BackendError, match="cannot be loaded"):
        registry.get(ModelSpec("linear"))


def test_while_a_version_loads_for_long_the_old_one_answers(store, monkeypatch):
    monkeypatch.setattr("runtime.registry.WAIT_SECONDS", 0.0)
    publish(store)
    opener = HeldOpener(2)
    registry = ModelRegistry(store, opener, limit=2)
    registry.get(ModelSpec("linear"))
    publish(store)
    with ThreadPoolExecutor(1) as pool:
        loading = pool.submit(registry.get, ModelSpec("linear"))
        assert opener.started.wait(10)
        assert registry.get(ModelSpec("linear")).version == 1
        opener.go.set()
        assert loading.result(timeout=10).version == 2
    assert registry.get(ModelSpec("linear")).version == 2


def test_a_failure_is_told_until_a_version_serves(store, opener, registry):
    publish(store)
    registry.get(ModelSpec("linear"))
    assert registry.failure("linear", 2) is None
    opener.broken = {2}
    publish(store)
    registry.get(ModelSpec("linear"))
    assert "broken weights" in registry.failure("linear", 2)
    publish(store)
    registry.get(ModelSpec("linear"))
    assert registry.failure("linear", 2) is None


def test_each_request_gets_an_error_of_its_own(store, opener, registry):
    """One exception raised again and again would gather every request's frames."""
    opener.broken = {1}
    publish(store)
    errors = []
    for _ in range(3):
        with pytest.raises(BackendError) as caught:
            registry.get(ModelSpec("linear"))
        errors.append(caught.value)
    assert len(set(map(id, errors))) == 3


def test_who_asks_while_a_version_loads_shortly_gets_the_new_one(store, monkeypatch):
    monkeypatch.setattr("runtime.registry.WAIT_SECONDS", 10.0)
    publish(store)
    opener = HeldOpener(2)
    registry = ModelRegistry(store, opener, limit=2)
    registry.get(ModelSpec("linear"))
    publish(store)
    with ThreadPoolExecutor(2) as pool:
        loading = pool.submit(registry.get, ModelSpec("linear"))
        assert opener.started.wait(10)
        waiting = pool.submit(registry.get, ModelSpec("linear"))
        opener.go.set()
        assert loading.result(timeout=10).version == 2
        assert waiting.result(timeout=10).version == 2
