import weakref

import pytest
from prometheus_client import REGISTRY

from bundle.errors import ModelNotFound
from bundle.spec import ModelSpec
from runtime.backends.options import BackendOptions
from runtime.models.cache import PINNED_SECONDS
from runtime.models.history import LEFT_SECONDS
from runtime.models.opening import open_model
from runtime.models.registry import ModelRegistry
from tests.runtime.models.openers import Opener, get, publish


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


def value_of(metric, **labels):
    return REGISTRY.get_sample_value(metric, labels) or 0


def test_what_is_in_memory_is_counted_with_its_bytes(store):
    registry = sized(store, 5000)
    for number, (count, size) in {1: (1, 1000), 3: (2, 4000), 4: (1, 4000)}.items():
        get(registry, version=number)
        assert value_of("tfaas_models_loaded") == count
        assert value_of("tfaas_models_loaded_bytes") == size
    registry.drop("linear")
    assert value_of("tfaas_models_loaded") == 0
    assert value_of("tfaas_models_loaded_bytes") == 0
