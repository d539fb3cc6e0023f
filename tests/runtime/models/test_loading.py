import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from prometheus_client import REGISTRY

from bundle.folder import open_bundle
from bundle.spec import ModelSpec
from bundle.store import ModelStore
from runtime.backends.opening import Opened
from runtime.errors import BackendError
from runtime.models.fallback import RETRY_SECONDS
from runtime.models.held import is_there
from runtime.models.model import Model
from runtime.models.registry import ModelRegistry
from tests.runtime.fakes import FakeBackend
from tests.runtime.models.openers import HeldOpener, Opener, get, publish


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


def test_a_request_that_waited_does_not_bring_an_old_version_back(store):
    """It saw version 1; while it waited, version 2 was published and loaded."""
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


def test_what_failed_is_tried_again_after_a_while(store, opener):
    """Memory may have been short only for a moment."""
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


def test_while_a_version_loads_for_long_the_old_one_answers(store):
    publish(store)
    opener = HeldOpener(2)
    registry = ModelRegistry(store, opener, limit=2, wait_seconds=0.0)
    registry.get(ModelSpec("linear"))
    publish(store)
    with ThreadPoolExecutor(1) as pool:
        loading = pool.submit(registry.get, ModelSpec("linear"))
        assert opener.started.wait(10)
        assert registry.get(ModelSpec("linear")).version == 1
        opener.go.set()
        assert loading.result(timeout=10).version == 2
    assert registry.get(ModelSpec("linear")).version == 2


class HeldAgain(Opener):
    """An opener that waits from the second time on, until it may go on."""

    def __init__(self):
        super().__init__()
        self.started, self.go = threading.Event(), threading.Event()

    def __call__(self, version):
        if self.opened:
            self.started.set()
            assert self.go.wait(10)
        return super().__call__(version)


@pytest.mark.parametrize("number", [None, 1])
def test_while_a_version_that_gained_onnx_loads_it_answers_as_before(store, number):
    opener = HeldAgain()
    registry = ModelRegistry(store, opener, limit=2, wait_seconds=0.01)
    spec = ModelSpec("linear", version=number)
    version = publish(store)
    before = registry.get(spec)
    (version.path / "model.fp16.onnx").write_bytes(b"onnx")
    with ThreadPoolExecutor() as threads:
        changing = threads.submit(registry.get, spec)
        assert opener.started.wait(10)
        assert registry.get(spec) is before
        opener.go.set()
        assert changing.result(10) is not before
    assert registry.get(spec) is changing.result()


@pytest.mark.parametrize("number", [None, 1])
def test_a_version_whose_new_onnx_cannot_be_loaded_goes_on_as_it_was(
    store, opener, number
):
    """The exporter may hold a large model for longer than a load waits."""
    time = [0.0]
    registry = ModelRegistry(store, opener, limit=2, clock=lambda: time[0])
    spec = ModelSpec("linear", version=number)
    version = publish(store)
    before = registry.get(spec)
    (version.path / "model.fp16.onnx").write_bytes(b"onnx")
    opener.broken = {1}
    assert registry.get(spec) is before
    assert "broken weights" in registry.failure("linear", 1)
    opener.broken = set()
    time[0] = RETRY_SECONDS
    assert registry.get(spec) is not before
    assert registry.failure("linear", 1) is None


def test_once_a_version_has_loaded_for_long_nobody_waits_for_it(store):
    """Otherwise each new request would hold a thread as long as the version loads."""
    now = [0.0]
    publish(store)
    opener = HeldOpener(2)
    registry = ModelRegistry(
        store, opener, limit=2, wait_seconds=3600.0, clock=lambda: now[0]
    )
    registry.get(ModelSpec("linear"))
    publish(store)
    with ThreadPoolExecutor(2) as pool:
        loading = pool.submit(registry.get, ModelSpec("linear"))
        assert opener.started.wait(10)
        now[0] += 3600.0
        asking = pool.submit(registry.get, ModelSpec("linear"))
        try:
            assert asking.result(timeout=10).version == 1
        finally:
            opener.go.set()
        assert loading.result(timeout=10).version == 2


def test_what_nobody_foresaw_keeps_no_version_from_answering(store, caplog):
    publish(store)

    class Tripping(Opener):
        def __call__(self, version):
            if version.number == 2:
                raise ValueError("/srv/models: attempt to get argmax of nothing")
            return super().__call__(version)

    opener = Tripping()
    registry = ModelRegistry(store, opener, limit=2)
    publish(store)
    assert get(registry).version == 1, "in a fresh process"
    publish(store)
    assert get(registry).version == 3
    store.set_label("linear", "stable", 2)
    assert get(registry).version == 3, "what served goes on"
    with pytest.raises(BackendError, match="server failed on it") as caught:
        get(registry, version=2)
    assert "/srv" not in str(caught.value)
    assert "argmax of nothing" in caplog.text


def test_a_failure_is_not_told_of_a_number_used_again(store, opener, registry):
    publish(store)
    opener.broken = {1}
    with pytest.raises(BackendError):
        get(registry)
    store.delete("linear")  # another process may do this
    publish(store)
    assert registry.failure("linear", 1) is None
    opener.broken = set()
    get(registry)
    store.delete("linear")
    publish(store)
    assert registry.peek("linear", 1) is None


def test_a_failure_is_told_until_a_version_serves(store, opener, registry):
    publish(store)
    registry.get(ModelSpec("linear"))
    assert registry.failure("linear", 1) is None
    opener.broken = {2}
    publish(store)
    registry.get(ModelSpec("linear"))
    assert "broken weights" in registry.failure("linear", 2)
    assert registry.failure("linear", 1) is None
    opener.broken = set()
    (store.root / "linear" / "2" / "new-file").touch()
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


def test_who_asks_while_a_version_loads_shortly_gets_the_new_one(store):
    publish(store)
    opener = HeldOpener(2)
    registry = ModelRegistry(store, opener, limit=2, wait_seconds=10.0)
    registry.get(ModelSpec("linear"))
    publish(store)
    with ThreadPoolExecutor(2) as pool:
        loading = pool.submit(registry.get, ModelSpec("linear"))
        assert opener.started.wait(10)
        waiting = pool.submit(registry.get, ModelSpec("linear"))
        opener.go.set()
        assert loading.result(timeout=10).version == 2
        assert waiting.result(timeout=10).version == 2


def test_while_a_version_that_stands_in_loads_for_long_the_old_one_answers(store):
    publish(store)
    opener = HeldOpener(2)
    registry = ModelRegistry(store, opener, limit=5, wait_seconds=0.0)
    get(registry)
    opener.broken = {3}
    publish(store)
    publish(store)
    with ThreadPoolExecutor(1) as pool:
        loading = pool.submit(get, registry)
        assert opener.started.wait(10)
        assert get(registry).version == 1
        opener.go.set()
        assert loading.result(timeout=10).version == 2


def test_another_version_of_the_same_model_is_not_held_up(store):
    publish(store)
    publish(store)
    opener = HeldOpener(2)
    registry = ModelRegistry(store, opener, limit=2)
    with ThreadPoolExecutor(1) as pool:
        loading = pool.submit(get, registry)
        assert opener.started.wait(10)
        assert get(registry, version=1).version == 1
        opener.go.set()
        assert loading.result(timeout=10).version == 2


def test_while_a_label_loads_what_was_asked_for_instead_answers(store):
    publish(store)
    publish(store)
    store.set_label("linear", "stable", 1)
    store.set_label("linear", "canary", 2)
    opener = HeldOpener(2)
    registry = ModelRegistry(store, opener, limit=2)
    canary, default = ModelSpec("linear", label="canary"), ModelSpec("linear")
    with ThreadPoolExecutor(1) as pool:
        loading = pool.submit(registry.get, canary, default)
        assert opener.started.wait(10)
        assert registry.get(canary, default).version == 1
        opener.go.set()
        assert loading.result(timeout=10).version == 2
    assert registry.get(canary, default).version == 2


def test_a_version_deleted_while_it_loads_is_not_kept(store):
    publish(store)
    publish(store)
    opener = HeldOpener(2)
    registry = ModelRegistry(store, opener, limit=2)
    with ThreadPoolExecutor(1) as pool:
        loading = pool.submit(get, registry)
        assert opener.started.wait(10)
        store.delete_version("linear", 2)
        # The fakes read no files, so they would open the version although it is gone.
        opener.broken = {2}
        opener.go.set()
        assert loading.result(timeout=10).version == 1
    assert registry.loaded() == [("linear", 1)]
    assert registry.failure("linear", 2) is None


def test_a_version_deleted_as_it_was_loaded_is_not_kept(store, monkeypatch):
    """Another process deletes it after the registry saw that it is still there."""
    publish(store)

    def deleting(store, version):
        found = is_there(store, version)
        ModelStore(store.root).delete("linear")
        return found

    monkeypatch.setattr("runtime.models.loading.is_there", deleting)
    registry = ModelRegistry(store, Opener(), limit=2)
    assert registry.get(ModelSpec("linear")).version == 1, "it was there when asked"
    assert registry.loaded() == []


def value_of(metric, **labels):
    return REGISTRY.get_sample_value(metric, labels) or 0


def test_loads_are_counted_and_timed(store, opener, registry):
    name = "loads"
    for _ in range(2):
        publish(store, name)
    opener.broken = {2}
    for _ in range(3):
        registry.get(ModelSpec(name))
    ok, failed = {"version": "1", "result": "ok"}, {"version": "2", "result": "failed"}
    assert value_of("tfaas_model_loads_total", model=name, **ok) == 1
    assert value_of("tfaas_model_loads_total", model=name, **failed) == 1
    assert value_of("tfaas_model_load_seconds_count", model=name) == 1


def test_a_model_that_tensorflow_serves_is_counted_with_the_reason(store, caplog):
    def open_fallen(version):
        opened = Opened(FakeBackend(), "no model.onnx", fallback_code="missing")
        return Model(open_bundle(version.path), version.number, opened, None)

    publish(store, "fallen")
    ModelRegistry(store, open_fallen, limit=2).get(ModelSpec("fallen"))
    of = {"model": "fallen", "version": "1", "reason": "missing"}
    assert value_of("tfaas_fallbacks_total", **of) == 1
    assert "fallen falls back to TensorFlow: no model.onnx" in caplog.text


def test_a_variant_that_cannot_be_served_is_counted_and_warned_of_once(store, caplog):
    def open_plain(version):
        opened = Opened(
            FakeBackend(),
            fallback_code="variant",
            variant="fp32",
            variant_reason="there is no model.int8.onnx",
        )
        return Model(open_bundle(version.path), version.number, opened, None)

    publish(store, "plain")
    ModelRegistry(store, open_plain, limit=2).get(ModelSpec("plain"))
    of = {"model": "plain", "version": "1", "reason": "variant"}
    assert value_of("tfaas_fallbacks_total", **of) == 1
    (record,) = [r for r in caplog.records if r.levelname == "WARNING"]
    assert "there is no model.int8.onnx" in record.getMessage()
    assert "TensorFlow" not in record.getMessage()
