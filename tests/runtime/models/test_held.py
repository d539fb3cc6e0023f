from dataclasses import replace

import pytest

from bundle.folder import open_bundle
from bundle.store import ModelStore
from bundle.version import origin_of
from runtime.backends.opening import Opened
from runtime.models.held import Held, HeldVersions, is_there
from runtime.models.model import Model
from tests.runtime.fakes import FakeBackend
from tests.runtime.models.openers import publish


@pytest.fixture
def store(tmp_path):
    return ModelStore(tmp_path / "models")


def held_of(version, **times):
    model = Model(
        open_bundle(version.path), version.number, Opened(FakeBackend()), None
    )
    return Held(version, model, origin_of(version.path), **times)


def filled(store, names, limit, max_bytes=1 << 62):
    versions = HeldVersions(limit, max_bytes)
    for name in names:
        held = held_of(publish(store, name))
        versions[held.key] = held
    return versions


def names_in(versions):
    return [name for name, _ in versions]


def test_a_version_is_there_until_it_changes_or_goes(store):
    version = publish(store)
    assert is_there(store, version)
    assert not is_there(store, replace(version, state=(0,)))
    store.delete("linear")
    assert not is_there(store, version)


def test_a_bundle_is_still_there_with_another_onnx_and_not_when_replaced(store):
    version = publish(store)
    held = held_of(version)
    (version.path / "model.fp16.onnx").write_bytes(b"onnx")
    assert held.is_still()
    store.delete("linear")
    assert not held.is_still()
    publish(store)
    assert not held.is_still()


def test_only_the_very_version_is_found_and_counts_as_used(store):
    versions = filled(store, ["a", "b"], limit=2)
    version = versions["a", 1].version
    assert versions.find(replace(version, state=(0,))) is None
    assert names_in(versions) == ["a", "b"]
    assert versions.find(replace(version)) is versions["a", 1]
    assert names_in(versions) == ["b", "a"]


def test_a_version_kept_for_a_rollback_goes_before_the_one_unused_longest(store):
    versions = filled(store, ["a", "b", "c"], limit=2)
    versions.make_room(("c", 1), spare={("b", 1)})
    assert names_in(versions) == ["a", "c"]


def test_a_spare_version_that_somebody_asked_for_goes_in_its_turn(store):
    versions = filled(store, ["a", "b", "c"], limit=2)
    versions["b", 1].pinned = 0.0
    versions.make_room(("c", 1), spare={("b", 1)})
    assert names_in(versions) == ["b", "c"]


def test_the_version_for_which_room_is_made_stays_however_large_it_is(store):
    versions = filled(store, ["a", "b"], limit=2, max_bytes=1)
    versions.make_room(("a", 1), spare=())
    assert names_in(versions) == ["a"]


def test_no_room_is_made_where_nothing_is(store):
    versions = HeldVersions(0, 0)
    versions.make_room(None, spare=())
    assert not versions
