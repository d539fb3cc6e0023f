"""Labels in an object store, between machines that race."""

from __future__ import annotations

import pytest

from bundle.errors import ConflictError, ModelNotFound


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
