"""A model without params.json is named after its folder."""

from __future__ import annotations

from pathlib import Path

import pytest

from bundle.errors import BundleError, ModelNotFound
from bundle.folder import open_bundle
from bundle.params import Params
from bundle.store import ModelStore
from tests.bundle.making import bundle_files, write_files

SAVED_MODEL = {
    name: data
    for name, data in bundle_files().items()
    if name.startswith(("saved_model", "variables"))
}
ONNX = {"model.onnx": b"onnx"}

# The folder of a model in modelDir, as each server documents it, and its version there.
LAYOUTS = {
    "TFaaS": ("", 0, SAVED_MODEL),
    "TensorFlow Serving": ("1", 1, SAVED_MODEL),
    "TensorFlow Serving, early": ("00000123", 123, SAVED_MODEL),
    "Triton's ONNX": ("7", 7, ONNX),
    "Triton's SavedModel": ("2/model.savedmodel", 2, SAVED_MODEL),
}


@pytest.mark.parametrize("layout", LAYOUTS)
def test_the_model_is_named_after_its_folder(tmp_path: Path, layout: str) -> None:
    folder, number, files = LAYOUTS[layout]
    write_files(tmp_path / "mnist" / folder, files)
    store = ModelStore(tmp_path)
    assert store.names() == ["mnist"]
    assert store.versions("mnist") == [number]
    version = store.current("mnist")
    bundle = open_bundle(version.path)
    assert bundle.params == Params("mnist")
    assert bundle.labels == ()
    assert bundle.has_saved_model == (files is SAVED_MODEL)
    assert version.files().keys() == files.keys()


@pytest.mark.parametrize("layout", LAYOUTS)
def test_its_mark_stays_when_onnx_is_added(tmp_path: Path, layout: str) -> None:
    folder, number, files = LAYOUTS[layout]
    write_files(tmp_path / "mnist" / folder, files)
    store = ModelStore(tmp_path)
    before = store.current("mnist")
    mark = store.origin("mnist", number)
    (before.path / "model.fp16.onnx").write_bytes(b"half")
    assert store.origin("mnist", number) == mark
    assert store.current("mnist").state != before.state


def test_a_version_of_triton_is_deleted_whole(tmp_path: Path) -> None:
    write_files(tmp_path / "mnist" / "1" / "model.savedmodel", SAVED_MODEL)
    write_files(tmp_path / "mnist" / "2" / "model.savedmodel", SAVED_MODEL)
    store = ModelStore(tmp_path)
    store.delete_version("mnist", 1)
    assert store.versions("mnist") == [2]
    assert not (tmp_path / "mnist" / "1").exists()


def test_leading_zeros_are_no_part_of_a_version(tmp_path: Path) -> None:
    for number in ("0009", "10", "0012", "00", "0x1", "0" * 18 + "1"):
        write_files(tmp_path / "mnist" / number, SAVED_MODEL)
    store = ModelStore(tmp_path, keep=2)
    assert store.versions("mnist") == [9, 10, 12]
    assert store.version("mnist", 9).path == tmp_path / "mnist" / "0009"
    with pytest.raises(ModelNotFound):
        store.version("mnist", 2)
    store.delete_version("mnist", 12)
    assert store.versions("mnist") == [9, 10]
    bundle = {"params.json": b'{"name": "mnist"}', **SAVED_MODEL}
    version = store.install(lambda staged: write_files(staged, bundle))
    assert version.number == 11
    assert store.versions("mnist") == [10, 11]
    assert not (tmp_path / "mnist" / "0009").exists()


def test_of_two_folders_with_one_number_the_one_with_fewer_zeros_is_the_version(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    folder = tmp_path / "mnist"
    for number in ("0007", "07", "7", "007"):
        write_files(folder / number, SAVED_MODEL)
    store = ModelStore(tmp_path)
    for number, left in (("7", "07"), ("07", "007"), ("007", "0007"), ("0007", "")):
        assert store.versions("mnist") == [7]
        assert store.version("mnist", 7).path == folder / number
        assert store.delete_version("mnist", 7) == left
        assert not (folder / number).exists()
    assert store.names() == []
    told = [text for text in caplog.messages if text.endswith(" now")]
    assert told == [
        f"mnist version 7 is the folder {n} now" for n in ("07", "007", "0007")
    ]


def test_a_folder_with_neither_is_no_model(tmp_path: Path) -> None:
    write_files(tmp_path / "mnist", {"weights.h5": b"x"})
    assert ModelStore(tmp_path).names() == []
    with pytest.raises(BundleError, match=r"neither saved_model\.pb nor"):
        open_bundle(tmp_path / "mnist")


def test_weights_of_a_bare_saved_model_are_missed(tmp_path: Path) -> None:
    write_files(tmp_path / "mnist", {"saved_model.pb": b"\x12\x0bVarHandleOp"})
    with pytest.raises(BundleError, match=r"variables\.index is missing"):
        open_bundle(tmp_path / "mnist")


def test_a_link_gives_its_own_name(tmp_path: Path) -> None:
    write_files(tmp_path / "export", SAVED_MODEL)
    (tmp_path / "mnist").symlink_to(tmp_path / "export")
    assert open_bundle(tmp_path / "mnist").params.name == "mnist"


def test_a_frozen_graph_needs_its_nodes(tmp_path: Path) -> None:
    """Its nodes stand in params.json alone."""
    write_files(tmp_path / "mnist", {"saved_model.pb": b"\x0agraph"})
    with pytest.raises(BundleError, match="'input_node' is missing"):
        open_bundle(tmp_path / "mnist")
