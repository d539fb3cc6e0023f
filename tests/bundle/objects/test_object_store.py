"""Versions, labels and removals in an object store."""

from __future__ import annotations

from obstore.store import LocalStore

from bundle.objects.bucket import Bucket
from bundle.objects.object_store import ObjectStore
from tests.bundle.objects.asking import keys_of, publish
from tests.examples import write_bundle


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


def test_keep_bounds_the_versions_without_a_label(machine):
    one = machine(keep=2)
    one.publish()
    one.store.set_label("linear", "stable", 1)
    for _ in range(3):
        one.publish()
    assert one.store.versions("linear") == [1, 3, 4]
    assert one.here() == [1, 3, 4]


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


def test_a_folder_keeps_conditions_too(tmp_path):
    store = LocalStore(tmp_path / "objects", mkdir=True)
    objects = ObjectStore(Bucket(store, tmp_path / "objects" / ".lock"))
    folder = write_bundle(tmp_path / "bundle")
    assert publish(objects, folder) == 1
    assert publish(objects, folder) == 2
    objects.set_label("linear", "canary", 1)
    objects.set_label("linear", "canary", 2)
    assert objects.look("linear").labels == {"canary": 2}


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
