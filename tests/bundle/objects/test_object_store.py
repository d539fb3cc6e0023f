"""Versions, labels and removals in an object store, between machines that race."""

from __future__ import annotations

import re
import threading
import time

import obstore
import pytest
from obstore.store import LocalStore, MemoryStore

from bundle.errors import ConflictError, ModelNotFound, StoreError, StoreUnreachable
from bundle.objects.bucket import Bucket
from bundle.objects.object_store import ObjectStore
from tests.examples import write_bundle


def keys_of(memory, prefix):
    return sorted(
        meta["path"] for page in obstore.list(memory, prefix) for meta in page
    )


def publish(objects, folder, name="linear"):
    files = {path.name: path for path in folder.iterdir()}
    return objects.publish(folder, files, name)


def test_a_version_is_its_files_by_content_and_a_manifest(memory, machine):
    assert machine().publish() == 1
    entry = machine("two").objects.look("linear")
    assert list(entry.versions) == [1]
    manifest = entry.versions[1].manifest
    assert manifest.params["factor"] == 1
    assert manifest.files["model.onnx"].size == 1
    # The sha256 of the text "1", by sha256sum.
    digest = "6b86b273ff34fce19d6b804eff5a3f5747ada4eaa22f1d49c01e52ddb7875b4b"
    assert f"blobs/linear/{digest}" in keys_of(memory, "blobs/")
    assert manifest.files["model.onnx"].sha256 == digest


def test_a_file_of_an_earlier_version_is_not_sent_again(machine):
    one = machine()
    one.publish()
    before = one.bucket.counts["put"]
    one.publish()
    assert one.bucket.counts["put"] == before


def test_racing_publishers_each_get_a_number_of_their_own(memory, tmp_path):
    folder = write_bundle(tmp_path / "bundle")
    start = threading.Barrier(8)
    numbers = []

    def race():
        objects = ObjectStore(Bucket(memory))
        start.wait()
        numbers.append(publish(objects, folder))

    threads = [threading.Thread(target=race) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(numbers) == [1, 2, 3, 4, 5, 6, 7, 8]
    assert list(ObjectStore(Bucket(memory)).look("linear").versions) == sorted(numbers)


def test_a_manifest_whose_answer_was_lost_is_published_once(machine):
    one = machine()
    real = one.bucket.create

    def lose_once(key, content):
        came = real(key, content)
        if key.startswith("versions/"):
            one.bucket.create = real
            raise StoreUnreachable("the object store does not answer")
        return came

    one.bucket.create = lose_once
    assert one.publish() == 1
    assert list(one.objects.look("linear").versions) == [1]


def test_a_publisher_that_died_before_the_manifest_left_nothing_visible(machine):
    one, two = machine(), machine("two")

    def die(operation, key):
        if key.startswith("versions/") and operation == "create":
            raise KeyboardInterrupt

    one.bucket.hook = die
    with pytest.raises(KeyboardInterrupt):
        one.publish()
    assert two.objects.snapshot({}) == {}
    assert two.publish() == 1


def test_files_of_dead_publishers_go_when_they_are_old(memory, machine):
    one = machine()
    obstore.put(memory, "blobs/linear/" + "0" * 64, b"left")
    one.publish()
    assert "blobs/linear/" + "0" * 64 in keys_of(memory, "blobs/")
    one.bucket.later = 7200
    one.publish(2)
    assert "blobs/linear/" + "0" * 64 not in keys_of(memory, "blobs/")
    assert len(keys_of(memory, "blobs/")) == 7  # two of each file but labels.txt


def test_files_that_a_sweep_removed_meanwhile_are_sent_again(memory, machine):
    one = machine()
    one.publish()

    def sweep(operation, key):
        if operation == "create" and key == "versions/linear/2.json":
            for blob in keys_of(memory, "blobs/"):
                obstore.delete(memory, blob)

    one.bucket.hook = sweep
    one.publish()
    one.bucket.hook = lambda operation, key: None
    two = machine("two")
    two.mirror.refresh()
    assert two.store.find("linear", 2).number == 2


def test_a_clock_that_is_ahead_removes_no_file_of_an_upload(memory, machine):
    one = machine()
    obstore.put(memory, "blobs/linear/" + "0" * 64, b"of an upload")
    one.mirror.objects = ObjectStore(one.bucket, clock=lambda: time.time() + 7200)
    one.publish()
    assert "blobs/linear/" + "0" * 64 in keys_of(memory, "blobs/")


def once(bucket, asked, call):
    """Make a call before the first request of this kind, as if it came in between."""

    def hook(operation, key):
        if (operation, key) == asked:
            bucket.hook = lambda *_: None
            call()

    bucket.hook = hook


def blob_of(machine, number):
    files = machine.objects.look("linear").versions[number].manifest.files
    return f"blobs/linear/{files['model.onnx'].sha256}"


def test_a_sweep_spares_an_old_file_that_a_publisher_needs_again(memory, machine):
    one, two, three = machine(), machine("two"), machine("three")
    one.publish(1)
    one.publish(2)
    blob = blob_of(one, 1)
    one.store.delete_version("linear", 1)
    one.bucket.later = two.bucket.later = 7200
    # The other publishes between the look of the sweep and its removal.
    once(one.bucket, ("changed", blob), lambda: two.publish(1))
    one.publish(3)
    assert blob_of(one, 4) == blob
    three.mirror.refresh()
    assert three.store.find("linear", 4).number == 4


def test_the_sweep_of_a_deleted_model_spares_the_next_version(memory, machine):
    one, two, three = machine(), machine("two"), machine("three")
    one.publish(1)
    blob = blob_of(one, 1)
    once(one.bucket, ("changed", blob), lambda: two.publish(1))
    one.store.delete("linear")
    three.mirror.refresh()
    assert three.store.find("linear").number == 1


def test_a_version_that_gets_a_label_meanwhile_is_not_trimmed(machine):
    one, two = machine(keep=1), machine("two")
    one.publish(1)

    def label():
        two.objects.set_label("linear", "canary", 1)

    once(one.bucket, ("delete", "versions/linear/1.json"), label)
    one.publish(2)
    entry = two.objects.look("linear")
    assert list(entry.versions) == [1, 2]
    assert entry.labels == {"canary": 1}


def test_keep_bounds_the_versions_without_a_label(machine):
    one = machine(keep=2)
    one.publish()
    one.store.set_label("linear", "stable", 1)
    for _ in range(3):
        one.publish()
    assert one.store.versions("linear") == [1, 3, 4]
    assert one.here() == [1, 3, 4]


def test_a_label_moves_by_compare_and_set(machine):
    one, two = machine(), machine("two")
    one.publish()
    one.publish(2)

    def meddle(operation, key):
        one.bucket.hook = lambda operation, key: None
        two.objects.set_label("linear", "canary", 1)

    one.objects.set_label("linear", "canary", 2)
    one.bucket.hook = lambda op, key: meddle(op, key) if op == "replace" else None
    # Between the look and the write, another machine has moved it: it is looked again.
    one.objects.set_label("linear", "canary", 1)
    one.bucket.hook = lambda op, key: meddle(op, key) if op == "replace" else None
    one.objects.set_label("linear", "canary", 2)
    assert one.objects.look("linear").labels == {"canary": 2}
    assert one.bucket.counts["replace"] >= 2


def test_a_label_that_others_change_for_ever_is_a_conflict(machine):
    one = machine()
    one.publish()
    one.objects.set_label("linear", "canary", 1)
    one.bucket.replace = lambda key, content, tag: False
    with pytest.raises(ConflictError, match="others are changing the label 'canary'"):
        one.objects.set_label("linear", "canary", 1)


def test_a_label_needs_its_version(machine):
    one = machine()
    one.publish()
    with pytest.raises(ModelNotFound, match="no version 2"):
        one.objects.set_label("linear", "canary", 2)
    with pytest.raises(ConflictError, match="published anew"):
        one.objects.set_label("linear", "canary", 1, "0" * 32)
    assert one.objects.look("linear").labels == {}


def test_a_version_that_is_deleted_meanwhile_takes_the_label_back(machine):
    one, two = machine(), machine("two")
    one.publish()
    one.publish(2)

    def delete(operation, key):
        if operation == "create" and key.startswith("labels/"):
            two.objects.delete_version("linear", 2)

    one.bucket.hook = delete
    with pytest.raises(ModelNotFound, match="no version 2"):
        one.objects.set_label("linear", "canary", 2)
    assert one.objects.look("linear").pointers == {}


def test_a_label_that_came_during_a_deletion_keeps_the_version(machine):
    one, two = machine(), machine("two")
    one.publish()
    one.publish(2)

    def label(operation, key):
        if operation == "delete" and key == "versions/linear/2.json":
            two.objects.set_label("linear", "canary", 2)

    one.bucket.hook = label
    with pytest.raises(ConflictError, match="labelled 'canary'"):
        one.objects.delete_version("linear", 2)
    entry = one.objects.look("linear")
    assert list(entry.versions) == [1, 2]
    assert entry.labels == {"canary": 2}


def test_a_deleted_model_leaves_nothing(memory, machine):
    one = machine()
    one.publish()
    one.store.set_label("linear", "stable", 1)
    one.store.set_unloaded("linear", True)
    one.store.delete("linear")
    assert keys_of(memory, "versions/") == []
    assert keys_of(memory, "labels/") == []
    assert keys_of(memory, "blobs/") == []
    assert one.store.names() == []
    assert one.here() == []


@pytest.mark.parametrize(
    "name", ["../x", "a/b", "", ".x"], ids=["up", "slash", "empty", "dot"]
)
def test_a_name_that_no_model_has_becomes_no_key(machine, name):
    with pytest.raises(ModelNotFound):
        machine().objects.look(name)


def test_objects_that_are_no_manifest_are_passed_over(memory, machine):
    one = machine()
    one.publish()
    obstore.put(memory, "versions/linear/2.json", b"{}")
    obstore.put(memory, "versions/linear/x.json", b"{}")
    obstore.put(memory, "labels/linear/canary.json", b"[]")
    obstore.put(memory, "labels/linear/b.json", b'{"version": Infinity, "id": "x"}')
    obstore.put(memory, "labels/linear/c.json", b"[" * 100_000)
    good = memory_text(memory, "versions/linear/1.json")
    for number, evil in enumerate(
        (
            good.replace("labels.txt", "../x"),
            good.replace("labels.txt", "\\ud800"),
            re.sub('"size": [0-9]+', '"size": Infinity', good),
        ),
        start=1,
    ):
        assert evil != good
        obstore.put(memory, f"versions/evil/{number}.json", evil.encode())
    found = machine("two").objects.snapshot({})
    assert list(found) == ["linear"]
    assert list(found["linear"].versions) == [1]


def memory_text(memory, key):
    return bytes(obstore.get(memory, key).bytes()).decode()


class Careless(Bucket):
    def create(self, key, content):
        self.put(key, content)
        return True


class Forgetful(Bucket):
    def _swap(self, key, content, there):
        self.put(key, content)
        return True


@pytest.mark.parametrize("kind", [Careless, Forgetful])
def test_a_store_that_ignores_conditions_is_refused_for_writing(kind, tmp_path):
    memory = MemoryStore()
    folder = write_bundle(tmp_path / "bundle")
    with pytest.raises(StoreError, match="a version could be lost"):
        publish(ObjectStore(kind(memory)), folder)
    assert keys_of(memory, "") == []


def test_a_folder_keeps_conditions_too(tmp_path):
    store = LocalStore(tmp_path / "objects", mkdir=True)
    objects = ObjectStore(Bucket(store, tmp_path / "objects" / ".lock"))
    folder = write_bundle(tmp_path / "bundle")
    assert publish(objects, folder) == 1
    assert publish(objects, folder) == 2
    objects.set_label("linear", "canary", 1)
    objects.set_label("linear", "canary", 2)
    assert objects.look("linear").labels == {"canary": 2}


def test_a_label_that_was_left_does_not_point_to_a_later_version_of_the_number(
    machine,
):
    one = machine()
    one.publish(1)
    one.publish(2)
    one.objects.set_label("linear", "stable", 1)

    def die(operation, key):
        if operation == "delete" and key.startswith("labels/"):
            raise KeyboardInterrupt

    one.bucket.hook = die
    with pytest.raises(KeyboardInterrupt):
        one.objects.delete("linear")
    one.bucket.hook = lambda operation, key: None
    one.publish(3)
    one.publish(4)
    entry = one.objects.look("linear")
    assert list(entry.versions) == [1, 2]
    assert entry.labels == {}
    assert entry.serves == 2


def test_the_version_that_serves_is_deleted_last(machine):
    one, two = machine(), machine("two")
    for factor in (1, 2, 3):
        one.publish(factor)
    one.objects.set_label("linear", "stable", 2)
    seen = []

    def look(operation, key):
        if operation == "delete" and (entry := two.objects.look("linear")):
            seen.append(entry.serves)

    one.bucket.hook = look
    one.objects.delete("linear")
    assert set(seen) == {2}


def test_a_damaged_manifest_takes_no_label(memory, machine):
    one = machine()
    one.publish()
    obstore.put(memory, "versions/linear/1.json", b"{")
    with pytest.raises(StoreError, match="manifest of 'linear' version 1 is damaged"):
        one.objects.set_label("linear", "canary", 1)
