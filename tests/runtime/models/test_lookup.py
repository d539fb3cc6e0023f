"""The store knows what is right; these tests count how often it is asked."""

import os
import time

import pytest

from bundle.errors import ModelNotFound
from bundle.spec import ModelSpec
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
    """Date the last change of the model's folder back to a while ago."""
    os.utime(store.root / "linear", ns=(LONG_AGO, LONG_AGO))


def test_what_did_not_change_is_asked_once(store, lookup, now):
    first = lookup.find(ModelSpec("linear"))
    now[0] = 0.4
    assert lookup.find(ModelSpec("linear")) is first
    assert (store.asked, first.number) == (1, 1)


def test_after_a_while_it_is_asked_again(store, lookup, now):
    lookup.find(ModelSpec("linear"))
    (store.root / "linear" / "1" / "model.onnx").unlink()
    now[0] = 0.6
    assert lookup.find(ModelSpec("linear")) == store.version("linear", 1)


def test_a_folder_that_has_just_changed_is_asked_each_time(store, lookup, monkeypatch):
    monkeypatch.setattr("time.time_ns", lambda: LONG_AGO)
    for _ in range(3):
        lookup.find(ModelSpec("linear"))
    assert store.asked == 3


@pytest.mark.parametrize("change", ["publish", "label", "unlabel", "delete"])
def test_what_the_store_does_is_seen_at_once(store, lookup, change):
    store.install(write_bundle)
    store.install(write_bundle)
    if change == "unlabel":
        store.set_label("linear", "stable", 1)
    settle(store)
    lookup.find(ModelSpec("linear"))
    other = ModelStore(store.root)  # stands for another process
    match change:
        case "publish":
            other.install(write_bundle)
        case "label":
            other.set_label("linear", "stable", 2)
        case "unlabel":
            other.delete_label("linear", "stable")
        case "delete":
            other.delete_version("linear", 3)
    found = lookup.find(ModelSpec("linear"))
    expected = {"publish": 4, "label": 2, "unlabel": 3, "delete": 2}
    assert found.number == expected[change]


def test_a_model_that_is_deleted_is_gone(store, lookup):
    lookup.find(ModelSpec("linear"))
    store.delete("linear")
    for _ in range(2):
        with pytest.raises(ModelNotFound):
            lookup.find(ModelSpec("linear"))


def test_what_is_forgotten_is_asked_anew(store, lookup):
    lookup.find(ModelSpec("linear"))
    lookup.forget("linear")
    lookup.find(ModelSpec("linear"))
    assert store.asked == 2


def test_versions_and_labels_are_told_apart(store, lookup):
    store.install(write_bundle)
    store.set_label("linear", "canary", 1)
    settle(store)
    for _ in range(2):
        assert lookup.find(ModelSpec("linear")).number == 2
        assert lookup.find(ModelSpec("linear", 1)).number == 1
        assert lookup.find(ModelSpec("linear", None, "canary")).number == 1
    assert store.asked == 3


@pytest.mark.parametrize("name", ["../linear", "/etc", "lin\0ear", ""])
def test_no_path_is_made_of_a_clients_name(lookup, name):
    with pytest.raises(ModelNotFound):
        lookup.find(ModelSpec(name))


@pytest.mark.parametrize(("later", "asked"), [(0.4999, 1), (0.5, 2)])
def test_an_answer_is_good_for_half_a_second(store, lookup, now, later, asked):
    lookup.find(ModelSpec("linear"))
    now[0] = later
    lookup.find(ModelSpec("linear"))
    assert store.asked == asked


def test_the_seconds_begin_when_the_store_was_asked(store, now):
    lookup = Lookup(store, seconds=2.0, clock=lambda: now[0])
    now[0] = 10.0
    lookup.find(ModelSpec("linear"))
    now[0] = 11.9
    lookup.find(ModelSpec("linear"))
    assert store.asked == 1
    now[0] = 12.0
    lookup.find(ModelSpec("linear"))
    assert store.asked == 2


@pytest.mark.parametrize(("nanoseconds", "asked"), [(20_000_000, 2), (20_000_001, 1)])
def test_a_folders_time_steps_by_less_than_20_ms(
    store, lookup, monkeypatch, nanoseconds, asked
):
    """A change within one step of the clock leaves the folder's time as it was."""
    monkeypatch.setattr("time.time_ns", lambda: LONG_AGO + nanoseconds)
    lookup.find(ModelSpec("linear"))
    lookup.find(ModelSpec("linear"))
    assert store.asked == asked


def test_a_folder_with_an_older_time_has_changed_too(store, lookup):
    """Somebody may have put a backup back."""
    lookup.find(ModelSpec("linear"))
    os.utime(store.root / "linear", ns=(LONG_AGO - 10**9,) * 2)
    lookup.find(ModelSpec("linear"))
    assert store.asked == 2


def test_answers_are_kept_up_to_a_limit(store, lookup, monkeypatch):
    monkeypatch.setattr("runtime.models.lookup._LIMIT", 2)
    store.install(write_bundle)
    store.install(write_bundle)
    settle(store)
    for _ in range(2):
        for number in (1, 2):
            assert lookup.find(ModelSpec("linear", number)).number == number
    assert store.asked == 2
    lookup.find(ModelSpec("linear", 3))  # this forgets all others
    lookup.find(ModelSpec("linear", 3))
    assert store.asked == 3
    lookup.find(ModelSpec("linear", 1))
    assert store.asked == 4


def test_only_what_is_forgotten_is_asked_anew(store, lookup):
    store.install(lambda folder: write_bundle(folder, name="other") and None)
    os.utime(store.root / "other", ns=(LONG_AGO, LONG_AGO))
    for name in ("linear", "other"):
        lookup.find(ModelSpec(name))
        lookup.find(ModelSpec(name, 1))
    lookup.forget("linear")
    lookup.forget("nosuch")
    lookup.find(ModelSpec("other"))
    lookup.find(ModelSpec("other", 1))
    assert store.asked == 4
    lookup.find(ModelSpec("linear"))
    lookup.find(ModelSpec("linear", 1))
    assert store.asked == 6


def test_a_name_that_is_no_name_is_not_looked_at(store, lookup, monkeypatch):
    monkeypatch.setattr("os.stat", lambda path: pytest.fail(f"looked at {path}"))
    for asked in (("../linear",), ("/etc", 1), ("a/b", None, "stable")):
        with pytest.raises(ModelNotFound):
            lookup.find(ModelSpec(*asked))


def test_a_version_or_a_label_that_is_not_there_is_not_kept(store, lookup):
    for _ in range(2):
        with pytest.raises(ModelNotFound, match="no version 7"):
            lookup.find(ModelSpec("linear", 7))
        with pytest.raises(ModelNotFound, match="no label 'canary'"):
            lookup.find(ModelSpec("linear", None, "canary"))
    assert store.asked == 4


def test_an_answer_that_was_not_good_any_more_does_not_come_back(
    store, lookup, monkeypatch
):
    """The folder's time is put back, as tar and rsync do."""
    lookup.find(ModelSpec("linear"))
    later = LONG_AGO + 10**8
    os.utime(store.root / "linear", ns=(later, later))
    with monkeypatch.context() as patch:
        patch.setattr("time.time_ns", lambda: later)  # this answer is not kept
        lookup.find(ModelSpec("linear"))
    settle(store)
    lookup.find(ModelSpec("linear"))
    assert store.asked == 3
