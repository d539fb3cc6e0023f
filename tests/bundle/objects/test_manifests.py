"""Versions in an object store, between machines that race."""

from __future__ import annotations

import threading

import obstore
import pytest

from bundle.errors import ConflictError, StoreError, StoreUnreachable
from bundle.objects.bucket import Bucket
from bundle.objects.object_store import ObjectStore
from tests.bundle.objects.asking import once, publish
from tests.examples import write_bundle


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


def test_a_damaged_manifest_takes_no_label(memory, machine):
    one = machine()
    one.publish()
    obstore.put(memory, "versions/linear/1.json", b"{")
    with pytest.raises(StoreError, match="manifest of 'linear' version 1 is damaged"):
        one.objects.set_label("linear", "canary", 1)


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
