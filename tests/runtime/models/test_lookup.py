"""The store says what is right; how often it is asked is counted."""

import os
import time

import pytest

from bundle.errors import ModelNotFound
from bundle.store import ModelStore
from runtime.models.lookup import Lookup
from tests.examples import write_bundle

LONG_AGO = time.time_ns() - 10**9


class Counting(ModelStore):
    asked = 0

    def find(self, *given):
        self.asked += 1
        return super().find(*given)


@pytest.fixture
def store(tmp_path):
    store = Counting(tmp_path)
    store.install(write_bundle)
    settle(store)
    return store


@pytest.fixture
def now():
    return [0.0]


@pytest.fixture
def lookup(store, now):
    return Lookup(store, clock=lambda: now[0])


def settle(store):
    """Let the model's folder have been changed a while ago."""
    os.utime(store.root / "linear", ns=(LONG_AGO, LONG_AGO))


def test_what_did_not_change_is_asked_once(store, lookup, now):
    first = lookup.find("linear")
    now[0] = 0.4
    assert lookup.find("linear") is first
    assert (store.asked, first.number) == (1, 1)


def test_after_a_while_it_is_asked_again(store, lookup, now):
    lookup.find("linear")
    (store.root / "linear" / "1" / "model.onnx").unlink()
    now[0] = 0.6
    assert lookup.find("linear") == store.version("linear", 1)


def test_a_folder_that_has_just_changed_is_asked_each_time(store, lookup):
    os.utime(store.root / "linear")
    for _ in range(3):
        lookup.find("linear")
    assert store.asked == 3


@pytest.mark.parametrize("change", ["publish", "label", "unlabel", "delete"])
def test_what_the_store_does_is_seen_at_once(store, lookup, change):
    store.install(write_bundle)
    store.install(write_bundle)
    if change == "unlabel":
        store.set_label("linear", "stable", 1)
    settle(store)
    lookup.find("linear")
    other = ModelStore(store.root)  # another process's
    match change:
        case "publish":
            other.install(write_bundle)
        case "label":
            other.set_label("linear", "stable", 2)
        case "unlabel":
            other.delete_label("linear", "stable")
        case "delete":
            other.delete_version("linear", 3)
    found = lookup.find("linear")
    expected = {"publish": 4, "label": 2, "unlabel": 3, "delete": 2}
    assert found.number == expected[change]


def test_a_model_that_is_deleted_is_gone(store, lookup):
    lookup.find("linear")
    store.delete("linear")
    for _ in range(2):
        with pytest.raises(ModelNotFound):
            lookup.find("linear")


def test_what_is_forgotten_is_asked_anew(store, lookup):
    lookup.find("linear")
    lookup.forget("linear")
    lookup.find("linear")
    assert store.asked == 2


def test_versions_and_labels_are_told_apart(store, lookup):
    store.install(write_bundle)
    store.set_label("linear", "canary", 1)
    settle(store)
    for _ in range(2):
        assert lookup.find("linear").number == 2
        assert lookup.find("linear", 1).number == 1
        assert lookup.find("linear", None, "canary").number == 1
    assert store.asked == 3


@pytest.mark.parametrize("name", ["../linear", "/etc", "lin\0ear", ""])
def test_no_path_is_made_of_a_clients_name(lookup, name):
    with pytest.raises(ModelNotFound):
        lookup.find(name)
