import shutil
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from bundle.errors import BundleError, ModelNotFound
from bundle.spec import ModelSpec
from runtime.errors import BackendError
from runtime.models.registry import ModelRegistry
from tests.examples import write_bundle
from tests.runtime.models.openers import Opener, get, publish


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


def test_a_dropped_model_is_not_in_memory(store, registry):
    publish(store)
    registry.get(ModelSpec("linear"))
    registry.drop("linear")
    assert registry.peek("linear", 1) is None


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


def test_a_bundle_that_was_replaced_never_goes_on_as_it_was(store, opener, registry):
    version = publish(store)
    registry.get(ModelSpec("linear"))
    write_bundle(version.path, name="linear")
    opener.broken = {1}
    with pytest.raises(BackendError):
        registry.get(ModelSpec("linear"))


# --- versions and labels


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


def test_an_old_version_that_was_deleted_stands_in_no_more(store, opener, registry):
    for _ in range(2):
        publish(store)
    assert get(registry).version == 2
    opener.broken = {3}
    publish(store)
    assert get(registry).version == 2
    store.delete_version("linear", 2)
    assert get(registry).version == 1


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
