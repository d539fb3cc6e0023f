"""A model's kind is found by its ending, its first bytes and what lies beside it."""

import os
import tarfile
import zipfile

import pytest

from runtime.admin.errors import AdminError
from runtime.bundling.given import look_at
from tests.examples import linear_onnx, tar_of, write_bundle

# These are the first bytes of a SavedModel, and of a frozen graph.
SAVED_MODEL, FROZEN = b"\x08\x01", b"\x0a\x02\x0a\x00"


def kind_of(path):
    given = look_at(path)
    return given.kind, given.path, given.name


@pytest.mark.parametrize("ending", ["keras", "h5", "hdf5", "H5"])
def test_a_keras_file_is_told_by_its_ending(tmp_path, ending):
    path = tmp_path / f"iris.{ending}"
    path.write_bytes(
        b"PK\x03\x04"
    )  # a .keras file is a zip, but no archive of a bundle
    assert kind_of(path) == ("keras", path, "iris")


def test_an_onnx_is_told_as_a_file_and_as_a_folder(tmp_path):
    (tmp_path / "net").mkdir()
    path = tmp_path / "net" / "model.onnx"
    path.write_bytes(linear_onnx())
    # Such a name is that of any model.
    assert kind_of(path) == ("onnx", path, "")
    assert kind_of(path.parent) == ("onnx", path.parent, "net")


@pytest.mark.parametrize("place", ["net", "net/7", "net/7/model.savedmodel"])
def test_a_saved_model_is_told_wherever_other_servers_keep_it(tmp_path, place):
    folder = tmp_path / place
    folder.mkdir(parents=True)
    (folder / "saved_model.pb").write_bytes(SAVED_MODEL)
    found = ("saved_model", folder, "net")
    assert kind_of(tmp_path / "net") == found
    assert kind_of(folder) == found
    assert kind_of(folder / "saved_model.pb") == found


def test_a_frozen_graph_is_told_also_by_the_name_of_a_saved_model(tmp_path):
    for name in ("net.pb", "saved_model.pb"):
        (tmp_path / name).write_bytes(FROZEN)
    assert kind_of(tmp_path / "net.pb") == ("frozen_graph", tmp_path / "net.pb", "net")
    assert look_at(tmp_path).kind == "frozen_graph"


def test_a_bundle_is_told_as_a_folder_and_as_an_archive(tmp_path):
    folder = write_bundle(tmp_path / "trained")
    assert look_at(folder).kind == "bundle"
    (tmp_path / "x.tar").write_bytes(tar_of(folder, mode="w"))
    (tmp_path / "x.tar.gz").write_bytes(tar_of(folder))
    with zipfile.ZipFile(tmp_path / "x.zip", "w") as archive:
        archive.writestr("linear/params.json", "{}")
    for name in ("x.tar", "x.tar.gz", "x.zip"):
        assert kind_of(tmp_path / name) == ("bundle", tmp_path / name, "")


def test_the_highest_of_several_versions_is_taken(tmp_path):
    """TensorFlow Serving has such a folder; other programs may leave files in it."""
    for number in (9, 10):
        write_bundle(tmp_path / "linear" / str(number))
    (tmp_path / "linear" / ".ipynb_checkpoints").mkdir()
    assert look_at(tmp_path / "linear").path == tmp_path / "linear" / "10"


def test_a_folder_without_a_model_names_the_files_that_may_be_meant(tmp_path):
    with pytest.raises(AdminError, match="holds no model.*model.onnx$"):
        look_at(tmp_path)
    (tmp_path / "a.keras").touch()
    with pytest.raises(AdminError, match="it has a.keras: give that file"):
        look_at(tmp_path)
    (tmp_path / "b.h5").touch()
    with pytest.raises(AdminError, match="it has a.keras, b.h5: give one of them"):
        look_at(tmp_path)


def test_any_other_file_is_refused_by_its_kind(tmp_path):
    path = tmp_path / "it"
    for content, told in (
        (linear_onnx(), "this is an ONNX model, and no arch.*runtime models push FILE"),
        (b"\x89HDF\r\n\x1a\n" + bytes(600), "this is a Keras file"),
        (b'{"name": "mnist"}', "this is a text, perhaps JSON"),
        (os.urandom(1024), "no model that is known: give a Keras file"),
        (b"", "no model that is known"),
    ):
        path.write_bytes(content)
        with pytest.raises(AdminError, match=told):
            look_at(path)


def test_a_tar_is_a_tar_whatever_its_folder_is_called(tmp_path):
    """A tar begins with its first name, which may look like another format."""
    with tarfile.open(tmp_path / "x", "w") as tar:
        tar.add(write_bundle(tmp_path / "BZh"), "BZh")
    assert look_at(tmp_path / "x").kind == "bundle"
