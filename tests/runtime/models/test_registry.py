import shutil
import threading
import weakref
from concurrent.futures import ThreadPoolExecutor

import pytest
from prometheus_client import REGISTRY

from bundle.errors import BundleError, ModelNotFound
from bundle.folder import open_bundle
from bundle.spec import ModelSpec
from bundle.store import ModelStore
from runtime.backends.opening import Opened
from runtime.backends.options import BackendOptions
from runtime.errors import BackendError
from runtime.models import loading
from runtime.models.cache import PINNED_SECONDS
from runtime.models.held import is_there
from runtime.models.history import LEFT_SECONDS
from runtime.models.model import RETRY_SECONDS, Model
from runtime.models.opening import open_model
from runtime.models.registry import ModelRegistry
from tests.examples import write_bundle
from tests.runtime.fakes import FakeBackend


class Opener:
    """An opener with a fake backend, which keeps the versions it was asked for."""

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
    """An opener that holds one version until it may go on."""

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
        with pytest.raises(
            BackendError, match="'linear' version 1 cannot be loaded: broken"
        ):
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
    """A new process must not differ from one that has run for long."""
    for _ in range(4):
        publish(store)
    opener.broken = {3, 4}
    assert registry.get(ModelSpec("linear")).version == 2
    assert registry.get(ModelSpec("linear")).version == 2
    assert [number for _, number in opener.opened] == [4, 3, 2], "and each tried once"


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


def test_a_dropped_model_is_not_in_memory(store, registry):
    publish(store)
    registry.get(ModelSpec("linear"))
    registry.drop("linear")
    assert registry.peek("linear", 1) is None


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


def test_a_bundle_that_was_replaced_never_goes_on_as_it_was(store, opener, registry):
    version = publish(store)
    registry.get(ModelSpec("linear"))
    write_bundle(version.path, name="linear")
    opener.broken = {1}
    with pytest.raises(BackendError):
        registry.get(ModelSpec("linear"))


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


# --- versions and labels


def get(registry, **spec):
    return registry.get(ModelSpec("linear", **spec))


def test_default_label_and_number_share_one_model(store, opener, registry):
    publish(store)
    store.set_label("linear", "canary", 1)
    models = {
        id(get(registry)),
        id(get(registry, version=1)),
        id(get(registry, label="canary")),
    }
    assert len(models) == 1
    assert opener.opened == [("linear", 1)]


def test_who_names_a_version_gets_it(store, registry):
    for _ in range(3):
        publish(store)
    assert [get(registry, version=n).version for n in (2, 1, 3)] == [2, 1, 3]


def test_who_names_a_label_gets_its_version_also_when_it_moved(store, registry):
    for _ in range(3):
        publish(store)
    store.set_label("linear", "canary", 2)
    assert get(registry, label="canary").version == 2
    store.set_label("linear", "canary", 1)
    assert get(registry, label="canary").version == 1


def test_stable_serves_before_the_newest_and_can_be_moved_back(store, registry):
    publish(store)
    store.set_label("linear", "stable", 1)
    publish(store)
    assert get(registry).version == 1
    store.set_label("linear", "stable", 2)
    assert get(registry).version == 2
    store.set_label("linear", "stable", 1)
    assert get(registry).version == 1
    store.delete_label("linear", "stable")
    assert get(registry).version == 2


@pytest.mark.parametrize(
    ("spec", "sentence"),
    [
        ({"version": 7}, "'linear' has no version 7"),
        ({"version": 0}, "'linear' has no version 0"),
        ({"label": "canary"}, "'linear' has no label 'canary'"),
        ({"label": "../x"}, "'linear' has no label '../x'"),
    ],
)
def test_what_the_store_has_not_is_not_found(store, registry, spec, sentence):
    publish(store)
    with pytest.raises(ModelNotFound, match=sentence):
        get(registry, **spec)
    with pytest.raises(ModelNotFound, match="there is no model 'nosuch'"):
        registry.get(ModelSpec("nosuch", **spec))


def test_a_named_version_that_is_broken_is_its_error_and_nothing_else(
    store, opener, registry
):
    publish(store)
    publish(store)
    opener.broken = {2}
    for _ in range(2):
        with pytest.raises(BackendError, match="version 2 cannot be loaded: broken"):
            get(registry, version=2)
    assert opener.opened == [("linear", 2)], "and it is tried once"
    assert get(registry).version == 1


def test_a_deleted_version_is_not_found_and_let_go(store, registry):
    publish(store)
    publish(store)
    get(registry, version=1)
    store.delete_version("linear", 1)
    with pytest.raises(ModelNotFound):
        get(registry, version=1)
    assert registry.peek("linear", 1) is None
    assert get(registry).version == 2


def test_a_label_moved_to_a_broken_version_goes_on_with_the_old(
    store, opener, registry
):
    for _ in range(3):
        publish(store)
    store.set_label("linear", "canary", 1)
    assert get(registry, label="canary").version == 1
    opener.broken = {2}
    store.set_label("linear", "canary", 2)
    assert get(registry, label="canary").version == 1
    assert get(registry, label="canary").version == 1
    assert opener.opened == [("linear", 1), ("linear", 2)]
    assert "broken weights" in registry.failure("linear", 2)
    store.set_label("linear", "canary", 3)
    assert get(registry, label="canary").version == 3


def test_a_label_that_never_had_another_version_here_is_the_error(
    store, opener, registry
):
    publish(store)
    publish(store)
    store.set_label("linear", "canary", 2)
    opener.broken = {2}
    with pytest.raises(BackendError, match="version 2 cannot be loaded"):
        get(registry, label="canary")


def test_for_a_broken_stable_an_earlier_one_stands_in_and_never_a_newer(
    store, opener, registry
):
    """The process is fresh, and the newer versions are not released."""
    for _ in range(3):
        publish(store)
    store.set_label("linear", "stable", 2)
    opener.broken = {2}
    assert get(registry).version == 1
    assert [number for _, number in opener.opened] == [2, 1]
    opener.broken = {1, 2}
    fresh = ModelRegistry(store, opener, limit=2)
    with pytest.raises(BackendError, match="version 2 cannot be loaded"):
        get(fresh)


def test_stable_moved_to_a_broken_version_goes_on_with_what_served(
    store, opener, registry
):
    for _ in range(3):
        publish(store)
    store.set_label("linear", "stable", 3)
    assert get(registry).version == 3
    opener.broken = {2}
    store.set_label("linear", "stable", 2)
    assert get(registry).version == 3


def test_a_process_that_was_not_asked_for_long_agrees_with_the_others(store, opener):
    """It answered with 1 before 2 and 3 existed; 3 is broken."""
    idle, busy = (ModelRegistry(store, opener, limit=5) for _ in range(2))
    opener.broken = {3}
    for number in (1, 2, 3):
        publish(store)
        assert get(busy).version == min(number, 2)
        if number == 1:
            assert get(idle).version == 1
    assert get(idle).version == 2
    # If a label decides, its last version that loaded goes on, and no unreleased
    # version takes over.
    store.set_label("linear", "stable", 1)
    assert get(idle).version == 1
    store.set_label("linear", "stable", 3)
    assert get(idle).version == 1


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


def test_an_old_version_that_was_deleted_stands_in_no_more(store, opener, registry):
    for _ in range(2):
        publish(store)
    assert get(registry).version == 2
    opener.broken = {3}
    publish(store)
    assert get(registry).version == 2
    store.delete_version("linear", 2)
    assert get(registry).version == 1


# --- what stays in memory


def loaded(registry, *numbers):
    return [n for n in numbers if ("linear", n) in registry.loaded()]


@pytest.fixture
def now():
    return [0.0]


@pytest.fixture
def roomy(store, opener, now):
    return ModelRegistry(store, opener, limit=100, clock=lambda: now[0])


def test_a_default_that_is_replaced_is_let_go_later(store, roomy, now):
    publish(store)
    get(roomy)
    publish(store)
    get(roomy)
    assert loaded(roomy, 1, 2) == [1, 2]
    now[0] = LEFT_SECONDS
    assert loaded(roomy, 1, 2) == [2]


def test_a_rollback_needs_no_load(store, opener, roomy, now):
    for _ in range(2):
        publish(store)
    for number in (1, 2, 1, 2, 1):
        now[0] += LEFT_SECONDS - 1
        store.set_label("linear", "stable", number)
        assert get(roomy).version == number
    assert opener.opened == [("linear", 1), ("linear", 2)]


def test_only_the_last_default_is_kept_for_a_rollback(store, roomy):
    for _ in range(3):
        publish(store)
        get(roomy)
    assert loaded(roomy, 1, 2, 3) == [2, 3]


def test_the_last_default_makes_room_before_a_model_that_serves(store, opener):
    registry = ModelRegistry(store, opener, limit=3)
    publish(store, "other")
    registry.get(ModelSpec("other"))
    for _ in range(2):
        publish(store)
        get(registry)
    publish(store, "third")
    registry.get(ModelSpec("third"))
    assert registry.loaded() == [("linear", 2), ("other", 1), ("third", 1)]


def test_the_last_default_that_is_asked_for_by_number_makes_no_room(store, opener):
    registry = ModelRegistry(store, opener, limit=3)
    publish(store, "other")
    registry.get(ModelSpec("other"))
    for _ in range(2):
        publish(store)
        get(registry)
    get(registry, version=1)
    publish(store, "third")
    registry.get(ModelSpec("third"))
    assert registry.loaded() == [("linear", 1), ("linear", 2), ("third", 1)]


def test_a_last_default_that_is_deleted_is_not_kept(store, roomy):
    for _ in range(2):
        publish(store)
        get(roomy)
    store.delete_version("linear", 1)
    assert loaded(roomy, 1, 2) == [2]


def test_a_replaced_default_that_a_label_points_to_stays(store, roomy):
    publish(store)
    get(roomy)
    store.set_label("linear", "previous", 1)
    publish(store)
    get(roomy)
    assert loaded(roomy, 1, 2) == [1, 2]


def test_a_replaced_default_that_is_asked_for_by_number_stays(store, roomy):
    publish(store)
    get(roomy)
    get(roomy, version=1)
    publish(store)
    get(roomy)
    assert loaded(roomy, 1, 2) == [1, 2]


def test_a_number_that_nobody_asks_for_any_more_goes_with_the_next_request(
    store, opener
):
    """Nothing is published, and the next request may be for any model."""
    now = [0.0]
    registry = ModelRegistry(store, opener, limit=100, clock=lambda: now[0])
    for _ in range(2):
        publish(store)
    publish(store, "other")
    get(registry)
    get(registry, version=1)
    now[0] = PINNED_SECONDS - 1
    get(registry, version=1)
    now[0] = 2 * PINNED_SECONDS - 2
    registry.get(ModelSpec("other"))
    assert loaded(registry, 1, 2) == [1, 2]
    now[0] = 2 * PINNED_SECONDS - 1
    registry.get(ModelSpec("other"))
    assert loaded(registry, 1, 2) == [2]


def test_of_engines_that_were_replaced_nothing_is_left(store):
    """Each engine holds its weights in memory, whatever request had loaded it."""
    now = [0.0]
    engines = []

    def open_(version):
        model = open_model(version, BackendOptions(provider="cpu"))
        engines.append(weakref.ref(model.backend))
        return model

    registry = ModelRegistry(store, open_, limit=100, clock=lambda: now[0])
    for number in range(1, 5):
        publish(store)
        for asked in ({}, {"version": number}, {"version": max(1, number - 1)}):
            get(registry, **asked)
        now[0] += PINNED_SECONDS
    publish(store)
    assert get(registry).version == 5
    now[0] += LEFT_SECONDS
    assert get(registry).version == 5
    *replaced, serving = [engine() for engine in engines]
    assert serving is not None
    assert replaced == [None] * len(replaced)


def test_a_version_whose_label_another_in_memory_took_is_let_go(store, roomy, now):
    """Nobody asks for the label any more."""
    for _ in range(2):
        publish(store)
    store.set_label("linear", "canary", 1)
    get(roomy)
    get(roomy, label="canary")
    store.set_label("linear", "canary", 2)
    roomy.tidy("linear")
    now[0] = LEFT_SECONDS
    assert loaded(roomy, 1, 2) == [2]


def test_a_version_whose_label_moved_to_one_that_may_be_broken_stays(store, roomy):
    for _ in range(3):
        publish(store)
    store.set_label("linear", "canary", 1)
    get(roomy)
    get(roomy, label="canary")
    store.set_label("linear", "canary", 2)
    roomy.tidy("linear")
    assert loaded(roomy, 1, 2, 3) == [1, 3]


def test_a_version_that_was_tried_by_number_before_it_served_is_let_go(
    store, roomy, now
):
    """The service itself tries a version by number before it moves a label."""
    for number in (1, 2):
        publish(store)
        get(roomy, version=number)
        store.set_label("linear", "stable", number)
        get(roomy)
    now[0] = LEFT_SECONDS
    assert loaded(roomy, 1, 2) == [2]


def test_a_version_that_lost_its_label_is_let_go_but_not_the_default(store, roomy, now):
    for _ in range(3):
        publish(store)
    store.set_label("linear", "canary", 1)
    get(roomy)
    get(roomy, label="canary")
    store.set_label("linear", "canary", 3)
    get(roomy, label="canary")
    now[0] += LEFT_SECONDS
    assert loaded(roomy, 1, 2, 3) == [3]
    store.set_label("linear", "canary", 2)
    get(roomy, label="canary")
    assert loaded(roomy, 1, 2, 3) == [2, 3]


def test_a_version_whose_label_is_deleted_is_let_go(store, roomy):
    publish(store)
    publish(store)
    store.set_label("linear", "canary", 1)
    get(roomy)
    get(roomy, label="canary")
    assert loaded(roomy, 1, 2) == [1, 2]
    store.delete_label("linear", "canary")
    with pytest.raises(ModelNotFound):
        get(roomy, label="canary")
    assert loaded(roomy, 1, 2) == [2]


def test_versions_that_are_trimmed_go_from_memory_though_asked_for(store, roomy):
    for number in (1, 2):
        publish(store)
        get(roomy, version=number)
    store.delete_version("linear", 1)  # another process may do this
    publish(store)
    get(roomy)
    assert loaded(roomy, 1, 2, 3) == [2, 3]


def test_versions_count_and_the_one_unused_longest_goes(store, registry):
    for _ in range(3):
        publish(store)
    for number in (1, 2, 1, 3):
        get(registry, version=number)
    assert loaded(registry, 1, 2, 3) == [1, 3]


def sized(store, limit_bytes):
    """Publish models whose size is a thousand bytes times their version."""

    for _ in range(4):
        publish(store)
    for number in store.versions("linear"):
        path = store.root / "linear" / str(number) / "model.onnx"
        path.write_bytes(b"x" * 1000 * number)
    return ModelRegistry(store, Opener(), limit=100, max_bytes=limit_bytes)


def test_bytes_count_too(store):
    registry = sized(store, 5000)
    for number in (1, 2):
        get(registry, version=number)
    assert loaded(registry, 1, 2, 3, 4) == [1, 2]
    get(registry, version=1)
    get(registry, version=3)
    assert loaded(registry, 1, 2, 3, 4) == [1, 3]
    get(registry, version=4)
    assert loaded(registry, 1, 2, 3, 4) == [4]


def test_a_model_larger_than_the_limit_is_kept_alone(store):
    registry = sized(store, 3500)
    get(registry, version=1)
    get(registry, version=4)
    assert loaded(registry, 1, 4) == [4]
    assert get(registry, version=4) is registry.peek("linear", 4)


def test_one_version_can_be_dropped(store, roomy):
    for _ in range(2):
        publish(store)
    get(roomy, version=1)
    get(roomy)
    roomy.drop("linear", 1)
    assert loaded(roomy, 1, 2) == [2]
    roomy.drop("linear")
    assert loaded(roomy, 1, 2) == []


# --- while a version loads


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
    assert loaded(registry, 1, 2) == [1]
    assert registry.failure("linear", 2) is None


def test_a_version_deleted_as_it_was_loaded_is_not_kept(store, monkeypatch):
    """Another process deletes it after the registry saw that it is still there."""
    publish(store)

    def deleting(store, version):
        found = is_there(store, version)
        ModelStore(store.root).delete("linear")
        return found

    monkeypatch.setattr(loading, "is_there", deleting)
    registry = ModelRegistry(store, Opener(), limit=2)
    assert registry.get(ModelSpec("linear")).version == 1, "it was there when asked"
    assert registry.loaded() == []


def test_many_requests_for_all_there_is_each_get_what_they_asked_for(store):
    """Versions are published, labelled and deleted meanwhile."""
    for _ in range(4):
        publish(store)
    store.set_label("linear", "canary", 3)
    registry = ModelRegistry(store, Opener(), limit=2)
    over = threading.Event()

    def ask(number):
        while not over.is_set():
            assert get(registry, version=number).version == number
            assert get(registry, label="canary").version in (3, 4)
            assert get(registry).version >= 4

    with ThreadPoolExecutor(4) as pool:
        asking = [pool.submit(ask, number) for number in (1, 2, 3, 4)]
        try:
            for n in range(20):
                store.set_label("linear", "canary", 3 + n % 2)
                store.delete_version("linear", publish(store).number)
        finally:
            over.set()
        for future in asking:
            future.result(timeout=10)


# --- counted


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


def test_what_is_in_memory_is_counted_with_its_bytes(store):
    registry = sized(store, 5000)
    for number, (count, size) in {1: (1, 1000), 3: (2, 4000), 4: (1, 4000)}.items():
        get(registry, version=number)
        assert value_of("tfaas_models_loaded") == count
        assert value_of("tfaas_models_loaded_bytes") == size
    registry.drop("linear")
    assert value_of("tfaas_models_loaded") == 0
    assert value_of("tfaas_models_loaded_bytes") == 0


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
