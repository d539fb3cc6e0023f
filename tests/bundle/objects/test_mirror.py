"""The copy on a machine: versions come, become visible, and go."""

from __future__ import annotations

import threading

import pytest

from bundle.errors import ModelNotFound, StoreError, StoreUnreachable
from bundle.objects.mirror import Mirror
from bundle.objects.object_store import ObjectStore
from tests.bundle.objects.asking import factor_of


def test_a_model_comes_when_it_is_first_asked_for(machine):
    one, two = machine(), machine("two")
    one.publish(7)
    two.mirror.refresh()
    assert two.store.names() == ["linear"]
    assert two.store.versions("linear") == [1]
    assert two.here() == []
    assert two.store.away("linear").files["model.onnx"] == 1
    assert two.store.find("linear").number == 1
    assert factor_of(two) == 7
    assert two.store.away("linear") is None


def test_a_model_that_is_here_follows_versions_and_labels(machine):
    one, two = machine(), machine("two")
    one.publish(1)
    two.mirror.refresh()
    two.store.find("linear")
    one.publish(2)
    two.mirror.refresh(whole=False)
    assert factor_of(two) == 2
    one.store.set_label("linear", "stable", 1)
    two.mirror.refresh(whole=False)
    assert factor_of(two) == 1
    one.store.delete_label("linear", "stable")
    two.mirror.refresh(whole=False)
    assert factor_of(two) == 2
    one.store.delete_version("linear", 2)
    two.mirror.refresh(whole=False)
    assert two.here() == [1]
    one.store.delete("linear")
    two.mirror.refresh(whole=False)
    assert two.here() == []
    assert two.store.names() == []


def test_a_long_fetch_makes_what_was_read_no_older(machine):
    one, two = machine(), machine("two")
    one.publish(1)
    two.mirror.refresh()
    two.store.find("linear")
    before = two.mirror.index.state()
    one.publish(2)
    states = []

    def note(operation, key):
        if operation == "fetch":
            states.append(two.mirror.index.state())

    two.bucket.hook = note
    two.mirror.refresh()
    assert before.read < states[0].read
    assert states[0].behind == 1
    assert two.mirror.index.state().behind == 0


def test_without_a_change_a_look_is_one_request(machine):
    one = machine()
    one.publish()
    one.mirror.refresh()
    before = dict(one.bucket.counts)
    one.mirror.refresh(whole=False)
    assert one.bucket.counts == {**before, "read": before["read"] + 1}


def test_a_version_asked_for_by_number_does_not_serve(machine):
    one, two = machine(), machine("two")
    one.publish(1)
    one.publish(2)
    two.mirror.refresh()
    assert two.store.find("linear", 1).number == 1
    assert factor_of(two) == 2
    assert factor_of(two, number=1) == 1


def test_the_published_version_does_not_serve_where_another_is_stable(machine):
    one, two = machine(), machine("two")
    one.publish(1)
    one.store.set_label("linear", "stable", 1)
    two.mirror.refresh()
    assert two.publish(2) == 2
    assert factor_of(two) == 1


def test_what_is_here_serves_while_the_store_is_down(machine):
    one, two = machine(), machine("two")
    one.publish(1)
    one.publish(1, name="other")
    two.mirror.refresh()
    two.store.find("linear")
    two.bucket.is_down = True
    with pytest.raises(StoreUnreachable):
        two.mirror.refresh()
    assert two.store.find("linear").number == 1
    with pytest.raises(StoreUnreachable):
        two.store.find("other")
    with pytest.raises(StoreUnreachable, match="'unknown' is not on this machine"):
        two.store.find("unknown")
    two.bucket.is_down = False
    two.mirror.refresh()
    with pytest.raises(ModelNotFound, match="no model 'unknown'"):
        two.store.find("unknown")


def test_a_fresh_machine_knows_nothing_before_it_has_read_the_store(machine):
    with pytest.raises(StoreUnreachable, match="was not read yet"):
        machine().store.find("linear")


def test_a_restart_without_the_store_serves_what_is_here(machine):
    one = machine()
    one.publish(4)
    again = machine()
    again.bucket.is_down = True
    assert again.store.names() == ["linear"]
    assert again.store.find("linear").number == 1
    assert factor_of(again) == 4


def test_of_those_who_ask_one_fetches(machine):
    one, two = machine(), machine("two")
    one.publish(1)
    two.mirror.refresh()
    before = dict(two.bucket.counts)
    start = threading.Barrier(4)
    found = []

    def ask():
        start.wait()
        found.append(two.store.find("linear").number)

    threads = [threading.Thread(target=ask) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [1, 1, 1, 1]
    # The bundle has four files.
    assert two.bucket.counts["fetch"] == before.get("fetch", 0) + 4


def test_unloading_follows(machine):
    one, two = machine(), machine("two")
    one.publish(1)
    two.mirror.refresh()
    two.store.find("linear")
    one.store.set_unloaded("linear", True)
    two.mirror.refresh()
    assert two.mirror.local.is_unloaded("linear")
    one.store.set_unloaded("linear", False)
    two.mirror.refresh()
    assert not two.mirror.local.is_unloaded("linear")


def test_a_version_that_was_deleted_while_it_was_fetched_is_not_there(machine):
    one, two = machine(), machine("two")
    one.publish(1)
    two.mirror.refresh()
    one.store.delete("linear")
    with pytest.raises(StoreError, match="lost a file"):
        two.store.find("linear")
    two.mirror.refresh()
    with pytest.raises(ModelNotFound):
        two.store.find("linear")


def test_a_process_that_only_reads_the_copy_needs_no_request(machine):
    one = machine()
    one.publish(1)
    before = dict(one.bucket.counts)
    again = Mirror(ObjectStore(one.bucket), one.mirror.root)
    assert again.wanted("linear", None, None)[1] == 1
    assert one.bucket.counts == before


def test_what_was_published_here_during_a_listing_stays(machine):
    one = machine()
    one.publish(1)
    one.publish(1, name="other")
    again = machine()  # another process of the same machine
    real = again.objects.snapshot

    def late(known):
        found = real(known)
        one.publish(2)
        one.publish(1, name="new")
        return found

    again.objects.snapshot = late
    again.mirror.refresh()
    assert again.here("linear") == [1, 2]
    assert again.here("new") == [1]
    assert again.store.versions("linear") == [1, 2]
    again.objects.snapshot = real
    again.mirror.refresh(whole=False)
    assert again.store.names() == ["linear", "new", "other"]


def test_a_change_of_one_model_is_no_listing_of_all(machine):
    one, two = machine(), machine("two")
    for name in ("aaaa", "bbbb", "cccc"):
        one.publish(1, name=name)
    two.mirror.refresh()
    asked = []
    two.bucket.hook = lambda operation, key: asked.append((operation, key))
    one.publish(2, name="bbbb")
    two.mirror.refresh(whole=False)
    assert asked == [
        ("read", "changed"),
        ("list", "labels/bbbb/"),
        ("list", "versions/bbbb/"),
        ("read", "versions/bbbb/2.json"),
    ]
    assert two.store.versions("bbbb") == [1, 2]


def test_a_machine_that_missed_many_changes_lists_all(machine):
    one, two = machine(), machine("two")
    one.publish(1)
    two.mirror.refresh()
    one.publish(1, name="other")
    for label in range(101):
        one.objects.set_label("linear", f"a{label}", 1)
    two.mirror.refresh(whole=False)
    assert two.store.names() == ["linear", "other"]
    assert len(two.store.labels("linear")) == 101


def test_the_first_changes_of_a_store_are_not_missed(machine):
    one, two = machine(), machine("two")
    two.mirror.refresh()
    one.publish(name="first")
    one.publish(name="other")
    for turn in range(100):
        one.objects.set_unloaded("other", turn % 2 == 0)
    two.mirror.refresh(whole=False)
    assert two.store.names() == ["first", "other"]


def test_a_change_without_a_mark_is_seen_by_a_whole_listing(machine):
    one, two = machine(), machine("two")
    one.publish(1)
    two.mirror.refresh()

    def die(operation, key):
        if key == "changed":
            raise KeyboardInterrupt

    one.bucket.hook = die
    with pytest.raises(KeyboardInterrupt):
        one.publish(2)
    two.mirror.refresh(whole=False)
    assert two.store.versions("linear") == [1]
    two.mirror.refresh()
    assert two.store.versions("linear") == [1, 2]
