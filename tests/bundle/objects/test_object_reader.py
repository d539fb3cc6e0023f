"""The reading of an object store, whatever lies in it."""

from __future__ import annotations

import re

import obstore
import pytest

from bundle.errors import ModelNotFound


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


def test_only_new_manifests_are_read_again(machine):
    one = machine()
    for name in "abcdef":
        one.publish(name=name)
    one.mirror.refresh()
    before = one.bucket.counts["read"]
    one.mirror.refresh()
    assert one.bucket.counts["read"] == before + 1  # the list of changes
