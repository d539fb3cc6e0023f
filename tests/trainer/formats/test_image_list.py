"""A CSV lists pictures, their labels, and perhaps their parts."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests.trainer.examples import write_picture
from trainer.data import load_dataset
from trainer.errors import DataError
from trainer.formats.image_list import header_of, is_image_list


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return a folder of ten pictures, of which each has its number as its level."""
    for number in range(10):
        write_picture(tmp_path / "img" / f"{number}.png", number)
    return tmp_path


def _list(folder: Path, *lines: str, ending: str = "\n") -> Path:
    path = folder / "photos.csv"
    path.write_bytes("".join(line + ending for line in lines).encode())
    return path


_ROWS = [f"img/{n}.png,{'cat' if n % 2 else 'dog'}" for n in range(10)]
_PARTS = [*["train"] * 6, *["test"] * 4]
_PARTED = [f"{row},{part}" for row, part in zip(_ROWS, _PARTS, strict=True)]


def test_rows_are_pictures_with_labels(folder: Path) -> None:
    data = load_dataset(_list(folder, "path,label", *_ROWS), seed=3)
    assert data.labels == ("cat", "dog")
    levels = np.concatenate([data.x_train[:], data.x_test[:]])[:, 0, 0, 0]
    numbers = np.concatenate([data.y_train, data.y_test])
    assert sorted(levels.tolist()) == list(range(10))
    np.testing.assert_array_equal(numbers, (levels + 1) % 2)
    assert np.bincount(data.y_test).tolist() == [1, 1]


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
@pytest.mark.parametrize("ending", ["\n", "\r\n"])
@pytest.mark.parametrize("mark", ["", "\ufeff"])
def test_a_column_of_parts_parts_them(
    folder: Path, delimiter: str, ending: str, mark: str
) -> None:
    lines = [mark + "File Name,Class,Split", *_PARTED, ""]
    path = _list(folder, *(x.replace(",", delimiter) for x in lines), ending=ending)
    data = load_dataset(path)
    assert data.x_train[:][:, 0, 0, 0].tolist() == [0, 1, 2, 3, 4, 5]
    assert data.x_test[:][:, 0, 0, 0].tolist() == [6, 7, 8, 9]
    assert data.y_test.tolist() == [1, 0, 1, 0]
    assert data.notes == ()


def test_validation_rows_are_trained_on_beside_a_test(folder: Path) -> None:
    parts = ["test", "valid", "train", "train", "val", *["train"] * 5]
    rows = [f"{row},{part}" for row, part in zip(_ROWS, parts, strict=True)]
    data = load_dataset(_list(folder, "image,target,part", *rows))
    assert data.x_train[:][:, 0, 0, 0].tolist() == list(range(1, 10))
    assert data.x_test[:][:, 0, 0, 0].tolist() == [0]
    assert data.notes[0].startswith("the validation images are trained on")


def test_quotes_other_columns_and_paths_from_the_root_are_taken(folder: Path) -> None:
    write_picture(folder / 'a "b", c.png', 77)
    rows = [f'{folder}/img/{n}.png,{n % 2},"x,y"' for n in range(9)]
    path = _list(folder, "file,label,note", *rows, '"a ""b"", c.png",1,z')
    data = load_dataset(path)
    assert data.labels == ("0", "1")
    assert 77 in {*data.x_train[:].flat, *data.x_test[:].flat}


def test_the_label_column_may_be_given(folder: Path) -> None:
    rows = [f"{row},{number % 5}" for number, row in enumerate(_ROWS)]
    data = load_dataset(_list(folder, "path,label,kind", *rows), label="kind")
    assert data.labels == ("0", "1", "2", "3", "4")


def test_a_few_lost_pictures_are_skipped_with_their_lines(folder: Path) -> None:
    rows = [*_ROWS * 3, "img/lost.png,cat"]
    data = load_dataset(_list(folder, "path,label", *rows))
    assert len(data.x_train) + len(data.x_test) == 30
    note = "1 of 31 images cannot be read and was skipped: img/lost.png (line 32)"
    assert note in data.notes


@pytest.mark.parametrize(
    ("lines", "sentence"),
    [
        ([], "photos.csv is empty"),
        (["path,label"], "has no row below its header"),
        (["path,species", *_ROWS], "no column of labels: its header is path, species"),
        (_ROWS, "has no column of paths: its header is img/0.png, dog"),
        (["a,label", *_ROWS], "has no column of paths: its header is a, label"),
        (["path,label,class", "a,b,c"], "the columns label and class, and one column"),
        (
            ["path,file,label", "a,b,c"],
            "the columns path and file, and one column of p",
        ),
        (["path,label", "img/0.png"], "line 2: it has 1 columns and the header 2"),
        (["path,label", "a,b,c"], "line 2: it has 3 columns and the header 2"),
        (["path,label", *_ROWS, "img/0.png,"], "line 12: the column label is empty"),
        (["path,label", ",cat"], "line 2: the column path is empty"),
        (["path,label", *_ROWS, '"img/0.png,cat'], "line 12: a quote does not end"),
        (
            ["path,label", f"a,{'x' * 200_000}"],
            "line 2: a quote .* a field is too long",
        ),
        (["path,label,split", "a,b,dev"], "line 2: the column split holds 'dev'"),
        (["path,label,split", "a,b,test"], "has no row of the part train"),
        (["path,label", *_ROWS[::2]], "all training images are of one class"),
        (
            ["path,label", *(f"img/{n}.png,{n}" for n in range(10))],
            "one image a class",
        ),
        (
            ["path,label", *_ROWS, "img/x.png,cat"],
            r"1 of 11 images \(9.1%\) cannot be read.* img/x.png \(line 12\): No such",
        ),
        (["path,label,split", *_PARTED, "img/0.png,cow,test"], "'cow', which is no tr"),
    ],
)
def test_a_list_that_is_wrong_is_told_where(
    folder: Path, lines: list[str], sentence: str
) -> None:
    with pytest.raises(DataError, match=sentence):
        load_dataset(_list(folder, *lines))


@pytest.mark.parametrize("encoding", ["utf-16", "latin-1"])
def test_another_encoding_is_refused(folder: Path, encoding: str) -> None:
    path = folder / "photos.csv"
    path.write_bytes("path,label\nimg/0.png,Käfer\n".encode(encoding))
    with pytest.raises(DataError, match="is no text in UTF-8; save it so"):
        load_dataset(path)


def test_pixels_beyond_the_bound_lie_on_disk(folder: Path) -> None:
    path = _list(folder, "path,label,split", *_PARTED)
    held, stored = load_dataset(path), load_dataset(path, max_bytes=100)
    assert not isinstance(stored.x_train, np.ndarray)
    np.testing.assert_array_equal(stored.x_train[:], held.x_train)
    np.testing.assert_array_equal(stored.x_test[:], held.x_test)


@pytest.mark.parametrize(
    ("header", "lists"),
    [
        ("path,label", True),
        ("Image_Path;label", True),
        ("File Name\tclass", True),
        ("pt,eta,label", False),
        ("", False),
    ],
)
def test_a_list_is_told_from_a_table_by_its_header(
    tmp_path: Path, header: str, lists: bool
) -> None:
    path = _list(tmp_path, header)
    assert is_image_list(header_of(path)) is lists
