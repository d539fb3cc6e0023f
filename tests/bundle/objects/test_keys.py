"""The keys of the objects, there and back."""

from __future__ import annotations

import pytest

from bundle.objects.keys import (
    label_key,
    read_label_key,
    read_version_key,
    version_key,
)


def test_a_key_tells_what_it_was_made_of():
    assert version_key("m.2-x", 12) == "versions/m.2-x/12.json"
    assert read_version_key("versions/m.2-x/12.json") == ("m.2-x", 12)
    assert label_key("linear", "stable") == "labels/linear/stable.json"
    assert read_label_key("labels/linear/stable.json") == ("linear", "stable")
    assert read_label_key("labels/linear/_unloaded.json") == ("linear", "_unloaded")


@pytest.mark.parametrize(
    "key",
    [
        "versions/linear/0.json",
        "versions/linear/01.json",
        "versions/linear/1",
        "versions/linear/1.json.bak",
        "versions/.linear/1.json",
        "versions/a/b/1.json",
        "versions/linear/" + "1" * 19 + ".json",
        "labels/linear/1.json",
    ],
)
def test_other_objects_are_no_manifests(key):
    assert read_version_key(key) is None


@pytest.mark.parametrize(
    "key",
    [
        "labels/linear/1.json",
        "labels/linear/_other.json",
        "labels/linear/stable",
        "labels/.linear/stable.json",
        "labels/a/b/stable.json",
        "versions/linear/stable.json",
    ],
)
def test_other_objects_are_no_labels(key):
    assert read_label_key(key) is None
