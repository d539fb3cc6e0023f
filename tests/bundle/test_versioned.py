from __future__ import annotations

from pathlib import Path

import pytest

from bundle.versioned import lift_newest, newest_version
from tests.bundle.making import bundle_files, read_files, write_bundle, write_files


def test_highest_number_is_the_newest(tmp_path: Path) -> None:
    for number in ("9", "10", "00000002"):
        write_bundle(tmp_path / number)
    (tmp_path / ".ipynb_checkpoints").mkdir()
    (tmp_path / "README.md").touch()
    assert newest_version(tmp_path) == tmp_path / "10"


@pytest.mark.parametrize("file", ["params.json", "saved_model.pb", "model.onnx"])
def test_bundle_with_numbered_folders_is_a_bundle(tmp_path: Path, file: str) -> None:
    (tmp_path / "1").mkdir()
    (tmp_path / file).touch()
    assert newest_version(tmp_path) is None


def test_folder_without_numbers_is_none(tmp_path: Path) -> None:
    (tmp_path / "assets").mkdir()
    (tmp_path / "1").touch()
    assert newest_version(tmp_path) is None


def test_newest_takes_the_place_of_the_folder(tmp_path: Path) -> None:
    files = {**bundle_files(), "2": b"a file", "1/x": b"a folder's"}
    write_files(tmp_path / "2", files)
    write_bundle(tmp_path / "1", mark="old")
    (tmp_path / "notes.txt").touch()
    lift_newest(tmp_path)
    assert read_files(tmp_path) == files
