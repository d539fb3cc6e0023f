"""Files in an object store, between machines that race."""

from __future__ import annotations

import time

import obstore

from bundle.objects.object_store import ObjectStore
from tests.bundle.objects.asking import keys_of, once


def test_a_file_of_an_earlier_version_is_not_sent_again(machine):
    one = machine()
    one.publish()
    before = one.bucket.counts["put"]
    one.publish()
    assert one.bucket.counts["put"] == before


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
