"""The copy on a machine: its files are those of the object store."""

from __future__ import annotations

import shutil

import obstore
import pytest

from bundle.errors import StoreError
from tests.bundle.objects.asking import factor_of


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
