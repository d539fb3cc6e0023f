import io
import os
import tarfile
import zipfile

import pytest

from bundle.errors import BundleError
from runtime.admin import Reader
from runtime.admin.errors import WorkFailed
from runtime.admin.parcel import open_parcel
from tests.examples import linear_onnx, tar_of, write_bundle


def content_of(path):
    """Return all bytes that are sent; their number must be the announced length."""
    with open_parcel(path) as parcel:
        content = b"".join(parcel.chunks)
        assert len(content) == parcel.length
    return content


def test_a_folder_is_packed_under_its_models_name(tmp_path):
    """An upload's top folder needs a plain name, and this folder does not have one."""
    folder = write_bundle(tmp_path / "my model (new)")
    content = content_of(folder)
    with tarfile.open(fileobj=io.BytesIO(content)) as tar:
        assert "linear/model.onnx" in tar.getnames()


def test_an_archive_is_sent_as_it_is(tmp_path):
    content = tar_of(write_bundle(tmp_path / "linear"))
    (tmp_path / "linear.tar.gz").write_bytes(content)
    assert content_of(tmp_path / "linear.tar.gz") == content


def test_a_zip_is_sent_as_it_is(tmp_path):
    with zipfile.ZipFile(tmp_path / "linear.zip", "w") as archive:
        archive.writestr("linear/params.json", "{}")
    content = (tmp_path / "linear.zip").read_bytes()
    assert content_of(tmp_path / "linear.zip") == content


def test_a_folder_that_is_no_bundle_is_refused_before_it_is_sent(tmp_path):
    (tmp_path / "empty").mkdir()
    with pytest.raises(BundleError, match=r"params\.json is missing.*runtime bundle"):
        content_of(tmp_path / "empty")


@pytest.mark.parametrize("cut", ["linear.tar", "linear/model.onnx"])
def test_what_is_cut_meanwhile_is_told(tmp_path, cut):
    folder = write_bundle(tmp_path / "linear")
    (tmp_path / "linear.tar").write_bytes(tar_of(folder, mode="w"))
    with (
        pytest.raises(WorkFailed, match="linear.* was cut while it was"),
        open_parcel(tmp_path / cut.split("/")[0]) as parcel,
    ):
        os.truncate(tmp_path / cut, 100)
        b"".join(parcel.chunks)


def test_what_is_replaced_meanwhile_comes_as_it_was(tmp_path):
    folder = write_bundle(tmp_path / "linear")
    with open_parcel(folder) as parcel:
        (folder / "model.onnx").unlink()
        content = io.BytesIO(b"".join(parcel.chunks))
    with tarfile.open(fileobj=content) as tar:
        assert tar.getmember("linear/model.onnx").size == len(linear_onnx())


def test_of_a_flat_bundle_the_versions_beside_it_are_left_out(tmp_path):
    folder = write_bundle(tmp_path / "linear")
    write_bundle(folder / "1")
    (folder / ".labels").mkdir()
    (folder / ".labels" / "stable").write_text("1")
    with tarfile.open(fileobj=io.BytesIO(content_of(folder))) as tar:
        assert tar.getnames() == [
            "linear/labels.txt",
            "linear/model.onnx",
            "linear/params.json",
            "linear/parity.json",
        ]


def test_a_reader_gives_no_more_than_is_asked_for():
    reader = Reader([b"abc", b"", b"de"])
    assert [reader.read(2) for _ in range(5)] == [b"ab", b"c", b"de", b"", b""]
