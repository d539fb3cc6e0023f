"""A bundle becomes the body of an upload."""

import io
import tarfile

import pytest

from tests.examples import write_bundle
from tfaas_onnx import Body, WrongArgument
from tfaas_onnx.archive import opened


def content_of(body):
    content = b"".join(body.open())
    assert body.length == len(content)
    return content


def test_a_folder_is_a_tar_that_can_be_sent_again(tmp_path):
    folder = write_bundle(tmp_path / "linear")
    (folder / "assets").mkdir()
    (folder / "assets" / "words.txt").write_text("a")
    (folder / ".hidden").mkdir()
    (folder / ".hidden" / "secret").write_text("b")
    with opened(folder) as body:
        first = content_of(body)
        assert content_of(body) == first
        assert not body.is_once
    with tarfile.open(fileobj=io.BytesIO(first)) as tar:
        files = {member.name for member in tar if member.isfile()}
        stored = tar.extractfile("linear/model.onnx").read()
    assert files == {
        "linear/params.json",
        "linear/labels.txt",
        "linear/model.onnx",
        "linear/parity.json",
        "linear/assets/words.txt",
    }
    assert stored == (folder / "model.onnx").read_bytes()


def test_links_are_sent_as_the_files_that_they_point_to(tmp_path):
    folder = write_bundle(tmp_path / "linear")
    (folder / "model.onnx").rename(tmp_path / "elsewhere")
    (folder / "model.onnx").symlink_to(tmp_path / "elsewhere")
    with (
        opened(folder) as body,
        tarfile.open(fileobj=io.BytesIO(content_of(body))) as tar,
    ):
        assert tar.getmember("linear/model.onnx").isfile()


def test_an_archive_is_sent_as_it_is(tmp_path):
    (tmp_path / "a.zip").write_bytes(b"PK" * 500_000)
    with opened(tmp_path / "a.zip") as body:
        assert content_of(body) == b"PK" * 500_000
        assert content_of(body) == b"PK" * 500_000


def test_a_body_stays_itself():
    body = Body(lambda: [b"x"], 1)
    with opened(body) as given:
        assert given is body


def test_what_is_not_there_is_a_sentence(tmp_path):
    with (
        pytest.raises(WrongArgument, match="nosuch cannot be read: No such file"),
        opened(tmp_path / "nosuch"),
    ):
        pass
