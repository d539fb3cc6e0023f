"""The copy on a machine: versions come, become visible, and go."""

from __future__ import annotations

import shutil
import threading

import obstore
import pytest

from bundle.errors import ModelNotFound, StoreError, StoreUnreachable
from bundle.objects.mirror import Mirror
from bundle.objects.object_store import ObjectStore


def factor_of(machine, name="linear", number=None):
    """Return what the version's model.onnx says, by the copy alone."""
    return int(
        (machine.mirror.local.find(name, number).path / "model.onnx").read_text()
    )


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


def test_only_new_manifests_are_read_again(machine):
    one = machine()
    for name in "abcdef":
        one.publish(name=name)
    one.mirror.refresh()
    before = one.bucket.counts["read"]
    one.mirror.refresh()
    assert one.bucket.counts["read"] == before + 1  # the list of changes


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


def test_a_damaged_file_becomes_no_version(memory, machine):
    one, two = machine(), machine("two")
    one.publish(1)
    two.mirror.refresh()
    two.store.find("linear")
    one.publish(2)
    blob = one.objects.look("linear").versions[2].manifest.files["model.onnx"]
    obstore.put(memory, f"blobs/linear/{blob.sha256}", b"3")
    two.mirror.refresh()
    assert factor_of(two) == 1
    assert two.here() == [1]
    assert two.mirror.index.state().behind == 1
    with pytest.raises(StoreError, match="damaged"):
        two.store.find("linear", 2)
    # It is tried again, and comes when the store has the right file.
    obstore.put(memory, f"blobs/linear/{blob.sha256}", b"2")
    two.mirror.refresh(whole=False)
    assert factor_of(two) == 2
    assert two.mirror.index.state().behind == 0


def test_a_file_of_another_size_is_not_even_fetched(memory, machine):
    one, two = machine(), machine("two")
    one.publish(1)
    two.mirror.refresh()
    blob = one.objects.look("linear").versions[1].manifest.files["model.onnx"]
    obstore.put(memory, f"blobs/linear/{blob.sha256}", b"1" * 1000)
    with pytest.raises(StoreError, match="damaged"):
        two.store.find("linear")
    assert two.here() == []


def test_a_copy_that_is_deleted_comes_again(machine):
    one, two = machine(), machine("two")
    one.publish(1)
    two.mirror.refresh()
    two.store.find("linear")
    shutil.rmtree(two.mirror.root)
    two.mirror.refresh(whole=False)
    assert two.store.find("linear").number == 1


def test_a_label_on_a_damaged_version_does_not_move_here(memory, machine):
    one, two = machine(), machine("two")
    one.publish(1)
    one.store.set_label("linear", "stable", 1)
    two.mirror.refresh()
    two.store.find("linear")
    one.publish(2)
    blob = one.objects.look("linear").versions[2].manifest.files["model.onnx"]
    obstore.put(memory, f"blobs/linear/{blob.sha256}", b"3")
    one.store.set_label("linear", "stable", 2)
    two.mirror.refresh()
    assert factor_of(two) == 1
    assert two.mirror.local.labels("linear") == {"stable": 1}


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


def test_files_that_came_later_follow(machine):
    one, two = machine(), machine("two")
    one.publish(1)
    two.mirror.refresh()
    origin = two.store.origin("linear", 1)
    state = two.store.find("linear").state
    added = one.store.find("linear").path / "model.int8.onnx"
    added.write_text("small")
    one.store.share(one.store.find("linear"))
    two.mirror.refresh(whole=False)
    assert (two.store.find("linear").path / "model.int8.onnx").read_text() == "small"
    assert two.store.find("linear").state != state
    assert two.store.origin("linear", 1) == origin
    # A file that the exporter takes away goes elsewhere, too.
    added.unlink()
    one.store.share(one.store.find("linear"))
    two.mirror.refresh(whole=False)
    assert not (two.store.find("linear").path / "model.int8.onnx").exists()


def test_files_that_came_later_are_told_though_the_answer_was_lost(machine):
    one, two = machine(), machine("two")
    one.publish(1)
    two.mirror.refresh()
    two.store.find("linear")
    (one.store.find("linear").path / "model.int8.onnx").write_text("small")
    real = one.bucket.replace

    def lose(key, content, tag):
        # obstore repeats the request, which finds its own manifest there.
        return real(key, content, tag) and not key.startswith("versions/")

    one.bucket.replace = lose
    one.store.share(one.store.find("linear"))
    two.mirror.refresh(whole=False)
    assert (two.store.find("linear").path / "model.int8.onnx").read_text() == "small"


def test_of_two_who_add_files_the_first_wins(machine):
    one, two = machine(), machine("two")
    one.publish(1)
    two.mirror.refresh()
    for each in (one, two):
        folder = each.store.find("linear").path
        (folder / "parity.json").write_text(each.mirror.root.name)
    real = two.bucket.replace

    def late(key, content, tag):
        two.bucket.replace = real
        one.store.share(one.store.find("linear"))
        return real(key, content, tag)

    two.bucket.replace = late
    two.store.share(two.store.find("linear"))
    for each in (one, two):
        assert (each.store.find("linear").path / "parity.json").read_text() == "one"


def test_the_machine_that_published_completes_a_version(machine):
    one, two = machine(), machine("two")
    one.publish(1)
    two.mirror.refresh()
    assert one.store.is_own(one.store.find("linear"))
    assert not two.store.is_own(two.store.find("linear"))


def test_a_number_that_is_used_again_is_another_version(machine):
    one, two = machine(), machine("two")
    one.publish(1)
    one.publish(2)
    two.mirror.refresh()
    two.store.find("linear")
    origin = two.store.origin("linear", 2)
    one.store.delete_version("linear", 2)
    one.publish(3)
    two.mirror.refresh()
    assert factor_of(two) == 3
    assert two.store.origin("linear", 2) != origin


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


def sized(machine, name, count):
    """Return a machine with room for so many of the bundles of these tests."""
    first = machine("size")
    first.publish(1, name="aaaa")
    size = first.mirror.record("aaaa", 1).size
    first.store.delete("aaaa")
    return machine(name, max_bytes=count * size)


def test_versions_unused_longest_make_room(machine):
    two = sized(machine, "two", 2)
    one = machine()
    for name in ("aaaa", "bbbb", "cccc"):
        one.publish(1, name=name)
    two.mirror.refresh()
    two.store.find("aaaa")
    two.store.find("bbbb")
    two.mirror.uses.note("aaaa", 1)
    two.store.find("cccc")
    assert [two.here(name) for name in ("aaaa", "bbbb", "cccc")] == [[1], [], [1]]
    # It comes again when it is asked for.
    assert two.store.find("bbbb").number == 1


def test_versions_in_memory_stay(machine):
    two = sized(machine, "two", 1)
    one = machine()
    one.publish(1, name="aaaa")
    one.publish(1, name="bbbb")
    two.mirror.refresh()
    two.store.find("aaaa")
    held = two.mirror.uses.hold("aaaa", 1)
    two.store.find("bbbb")
    assert two.here("aaaa") == [1]
    two.mirror.uses.release(held)
    two.mirror.uses.note("bbbb", 1)
    two.mirror.prune()
    assert [two.here(name) for name in ("aaaa", "bbbb")] == [[], [1]]


def test_the_version_that_serves_goes_last(machine):
    two = sized(machine, "two", 2)
    one = machine()
    for factor in (1, 2, 3):
        one.publish(factor, name="aaaa")
    one.store.set_label("aaaa", "stable", 1)
    two.mirror.refresh()
    two.store.find("aaaa", 1)
    two.store.find("aaaa", 2)
    two.store.find("aaaa", 3)
    assert two.here("aaaa") == [1, 3]
    assert factor_of(two, "aaaa") == 1


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


def test_machines_that_change_the_store_at_once_lose_no_change(machine):
    one, two = machine(), machine("two")
    for name in ("aaaa", "bbbb"):
        one.publish(1, name=name)

    def meddle(operation, key):
        if (operation, key) == ("replace", "changed"):
            one.bucket.hook = lambda operation, key: None
            two.objects.set_label("bbbb", "canary", 1)

    one.bucket.hook = meddle
    one.objects.set_label("aaaa", "canary", 1)
    assert [change.name for change in one.objects.changes()][-2:] == ["bbbb", "aaaa"]


def test_triton_files_lie_where_their_manifest_says(machine):
    one, two = machine(), machine("two")

    def write(folder):
        deeper = folder / "model.savedmodel"
        deeper.mkdir()
        (deeper / "saved_model.pb").write_bytes(b"graph")

    one.store.install(write, lambda staged: "linear")
    two.mirror.refresh()
    version = one.store.find("linear")
    assert version.path.name == "model.savedmodel"
    (version.path / "model.onnx").write_bytes(b"onnx")
    one.store.share(version)
    two.mirror.refresh()
    found = two.store.find("linear")
    assert (found.path / "model.onnx").read_bytes() == b"onnx"
    assert (found.path / "saved_model.pb").read_bytes() == b"graph"
    assert one.store.is_own(version)
