"""A file that is no archive of a bundle gets a sentence that helps."""

from __future__ import annotations

import bz2
import io
import lzma
from pathlib import Path

import pytest
from PIL import Image

from bundle.archive import is_archive, unpack
from bundle.errors import ArchiveError
from bundle.foreign import told_by
from tests.bundle.making import bundle_files, bundle_tar, read_files
from tests.examples import linear_onnx

TAR = bundle_tar()


def picture(kind: str) -> bytes:
    target = io.BytesIO()
    Image.new("L", (2, 2)).save(target, kind)
    return target.getvalue()


def sentence_of(folder: Path, data: bytes) -> str:
    with pytest.raises(ArchiveError) as caught:
        unpack(io.BytesIO(data), folder)
    return str(caught.value)


# Python has no writer for these formats. The first bytes come from each format's own
# description.
ARCHIVES = {
    "bzip2": bz2.compress(TAR),
    "xz": lzma.compress(TAR),
    "lzma": lzma.compress(TAR, format=lzma.FORMAT_ALONE),
    "zstd": bytes.fromhex("28b52ffd") + bytes(600),
    "lz4": bytes.fromhex("04224d18") + bytes(600),
    "7z": bytes.fromhex("377abcaf271c") + bytes(600),
    "rar": b"Rar!\x1a\x07\x01\x00" + bytes(600),
}


@pytest.mark.parametrize("kind", ARCHIVES)
def test_other_archive_is_told_by_its_kind_and_how_to_make_one(
    tmp_path: Path, kind: str
) -> None:
    sentence = sentence_of(tmp_path, ARCHIVES[kind])
    assert kind in sentence
    assert "tar cfz NAME.tar.gz NAME" in sentence
    assert is_archive(ARCHIVES[kind][:512])


def test_bare_model_is_told_and_what_to_put_beside_it(tmp_path: Path) -> None:
    assert "an ONNX model" in sentence_of(tmp_path, linear_onnx())
    hdf5 = b"\x89HDF\r\n\x1a\n" + bytes(600)
    assert "runtime models push FILE" in sentence_of(tmp_path, hdf5)
    saved_model = b"\x08\x01\x12\x05" + bytes(600)
    assert "a SavedModel's graph" in sentence_of(tmp_path, saved_model)
    assert "JSON" in sentence_of(tmp_path, b'{"name": "mnist"}')


def test_model_is_no_archive() -> None:
    """A form's field may hold an archive or a model, and a model is accepted there."""
    assert not is_archive(linear_onnx()[:512])
    assert not is_archive(b"\x89HDF\r\n\x1a\n" + bytes(504))


@pytest.mark.parametrize("top", ["BZh", "LZIP", "7z", "PK"])
def test_tar_whose_folder_is_called_as_a_format_begins_is_a_tar(
    tmp_path: Path, top: str
) -> None:
    unpack(io.BytesIO(bundle_tar(top)), tmp_path)
    assert read_files(tmp_path) == bundle_files()


@pytest.mark.parametrize(
    ("data", "kind"),
    [
        (picture("PNG"), "a PNG picture"),
        (picture("JPEG"), "a JPEG picture"),
        (picture("GIF"), "a GIF picture"),
        (b"%PDF-1.7\n%\xe2\xe3", "a PDF document"),
        (b"x", "a text"),
        (b"<html>" * 200, "a text"),
        ("ö".encode() * 600, "a text"),
        (b"a" + "ö".encode() * 600, "a text"),  # its 512th byte is half a character
        (b' [{"name": "mnist"}]', "a text, perhaps JSON"),
    ],
)
def test_picture_or_text_is_told_and_what_is_wanted(
    tmp_path: Path, data: bytes, kind: str
) -> None:
    sentence = sentence_of(tmp_path, data)
    assert sentence.startswith(f"this is {kind}, and no archive of a bundle: put ")
    assert "tar cfz NAME.tar.gz NAME" in sentence
    assert not is_archive(data[:512])


def test_what_nobody_knows_has_no_sentence() -> None:
    assert told_by(b"\xff" * 512) == ""
    assert told_by(b"a\0b") == ""
